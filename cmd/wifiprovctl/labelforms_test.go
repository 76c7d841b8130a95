package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

const (
	testPage = "https://example.com/setup/"
	testName = `Küche Ж\n("x")`
)

func TestPageLink(t *testing.T) {
	const want = testPage + "#code=a%2Bb%26c%20d&name=K%C3%BCche&user=me"
	if got := pageLink(testPage, "Küche", "me", "a+b&c d"); got != want {
		t.Errorf("%q", got)
	}
	link := pageLink(testPage+"?lang=de", testName, "wifiprov", labelCode)
	u, err := url.Parse(link)
	if err != nil || u.RawQuery != "lang=de" {
		t.Fatalf("%q: %v", link, err)
	}
	_, fragment, _ := strings.Cut(link, "#")
	members, err := url.ParseQuery(fragment) // as the page does it
	if err != nil || members.Get("code") != labelCode || members.Get("name") != testName || members.Has("user") {
		t.Errorf("%q: %v", link, err)
	}
}

func TestPageAddress(t *testing.T) {
	for _, page := range []string{"https://example.com", "https://[::1]:8443/a?b=c"} {
		if got, err := pageAddress(page); got != page || err != nil {
			t.Errorf("%q: %v", page, err)
		}
	}
	for _, page := range []string{"", "example.com", "http://example.com/", "https:///x", "https://:1/", "https://a/#", "https://a/#b",
		"https://me@a/", "https://a/?b c", "https://a/\n", "https://a/ü", "javascript:x"} {
		if _, err := pageAddress(page); err == nil {
			t.Errorf("%q is taken", page)
		}
		for _, command := range []string{"label", "show-qr"} {
			if status, out, _ := ctl(true, labelCode, "code", command, "--page", page); status != exitUsage || out != "" {
				t.Errorf("%s --page %q: %d %s", command, page, status, out)
			}
		}
	}
}

// What is drawn is what the library says, in every form.
func TestLabelForms(t *testing.T) {
	l, err := newLabel(testName, "me", labelCode, testPage)
	if err != nil || len(l.codes) != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
	payload, _ := newPayload(testName, "me", labelCode)
	for i, text := range []string{payload, pageLink(testPage, testName, "me", labelCode)} {
		want, err := qr.Encode(text, qr.M, qr.Auto)
		if err != nil || want.Bounds().Dx() != len(l.codes[i].rows) {
			t.Fatalf("code %d: %v", i, err)
		}
		for y, row := range l.codes[i].rows {
			for x, dark := range row {
				if dark != (color.GrayModel.Convert(want.At(x, y)).(color.Gray).Y == 0) {
					t.Fatalf("code %d is another one at %d,%d", i, x, y)
				}
			}
		}
	}
	for form, drawn := range map[string][]byte{"svg": l.svg(), "pdf": l.pdf()} {
		pattern := map[string]string{"svg": `M(\d+) (\d+)h(\d+)v1h-\d+z`, "pdf": `(?m)^(\d+) (\d+) (\d+) 1 re$`}[form]
		dark := map[[2]int]bool{}
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(drawn, -1) {
			x, y, n := number(m[1]), number(m[2]), number(m[3])
			for i := range n {
				dark[[2]int{x + i, y}] = true
			}
		}
		checkModules(t, form, l, func(x, y int) bool { return dark[[2]int{x, y}] })
	}
	data, err := l.png()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	checkModules(t, "png", l, func(x, y int) bool {
		r, _, _, _ := picture.At(x*pngScale+pngScale/2, y*pngScale+pngScale/2).RGBA()
		return r == 0
	})
}

// checkModules compares what is drawn with the label's codes, which stand side by side on one line,
// with their quiet zones.
func checkModules(t *testing.T, form string, l *label, drawn func(x, y int) bool) {
	t.Helper()
	bottom, left := max(l.codes[0].size(), l.codes[1].size()), -1
	for y := range bottom { // the finder's corner of the larger code, or of both
		for x := 0; left < 0 && x < 200; x++ {
			if y == bottom-quiet-1 && drawn(x, y) {
				left = x - quiet
			}
		}
	}
	for _, c := range l.codes {
		for y := range c.size() {
			for x := range c.size() {
				if drawn(left+x, bottom-c.size()+y) != c.dark(x-quiet, y-quiet) {
					t.Fatalf("%s: %s: another module at %d,%d", form, c.reader, x, y)
				}
			}
		}
		left += c.size()
	}
}

func TestLabelText(t *testing.T) {
	l, err := newLabel(testName, "me", labelCode, testPage)
	if err != nil {
		t.Fatal(err)
	}
	if svg := string(l.svg()); !strings.Contains(svg, ">Küche Ж\\n(&#34;x&#34;)<") {
		t.Error(svg[len(svg)-600:])
	}
	pdf := l.pdf()
	want := fmt.Sprintf("<%x> Tj", "K\xfcche \\u0416\\n(\"x\")")
	if !bytes.Contains(pdf, []byte(want)) || !bytes.Equal(pdf, l.pdf()) {
		t.Errorf("no %s, or not the same file twice", want)
	}
	for _, form := range [][]byte{l.text(), l.svg()} {
		for _, word := range []string{"app", "browser", "me", labelCode} {
			if !bytes.Contains(form, []byte(word)) {
				t.Errorf("no %s", word)
			}
		}
	}
	d := l.draw(func(r rune) bool { return r < 128 })
	for _, line := range d.lines {
		if half := float64(len(line.text)) * charWidth / 2; line.x-half < 0 || line.x+half > float64(d.width) || line.y > d.height {
			t.Errorf("%q is outside", line.text)
		}
	}
}

// checkPDF checks that the table of a PDF finds its objects, and the length of its stream.
func checkPDF(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(data)
	if m == nil || !bytes.HasPrefix(data, []byte("%PDF-1.")) {
		return errors.New("no PDF")
	}
	table := string(data[number(m[1]):])
	if !strings.HasPrefix(table, "xref\n0 6\n0000000000 65535 f \n") {
		return errors.New("no table")
	}
	entries := regexp.MustCompile(`(?m)^(\d{10}) 00000 n $`).FindAllStringSubmatch(table, -1)
	for i, entry := range entries {
		if !bytes.HasPrefix(data[number([]byte(entry[1])):], fmt.Appendf(nil, "%d 0 obj\n", i+1)) {
			return fmt.Errorf("object %d is not at %s", i+1, entry[1])
		}
	}
	stream := regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*)endstream`).FindSubmatch(data)
	if len(entries) != 5 || stream == nil || number(stream[1]) != len(stream[2]) {
		return errors.New("no stream, or of another length")
	}
	return nil
}

func number(text []byte) int {
	n, _ := strconv.Atoi(string(text)) // digits
	return n
}
