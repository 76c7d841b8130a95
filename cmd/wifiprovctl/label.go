package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/wifiprovd/wifiprovd/internal/code"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
)

// payload is what Espressif's apps read from a QR code. Security is a number: one of them takes no
// text for it.
type payload struct {
	Version   string `json:"ver"`
	Name      string `json:"name"` // that is advertised
	User      string `json:"username"`
	Code      string `json:"pop"`
	Transport string `json:"transport"`
	Security  int    `json:"security"`
	Network   string `json:"network"`
}

// label is what goes on a box.
type label struct {
	name, user, code string
	codes            []qrCode // for Espressif's apps; and for a browser, if there is a page
}

// qrCode is a QR code on a label.
type qrCode struct {
	reader string   // what it is for
	rows   [][]bool // its modules, true for dark
}

// codeLabel draws the gateway's label.
func codeLabel(ctx context.Context, j *job) error {
	l, err := j.makeLabel(ctx)
	if err != nil {
		return err
	}
	var drawn []byte
	switch j.form {
	case "svg":
		drawn = l.svg()
	case "png":
		drawn, err = l.png()
	case "pdf":
		drawn = l.pdf()
	default:
		drawn = l.text()
	}
	if err != nil {
		return err
	}
	if j.out == "" {
		_, err = j.stdout.Write(drawn)
		return err
	}
	return writeSecret(j.out, drawn)
}

// writeSecret writes a new file that only its owner can read: it has the code.
func writeSecret(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// codeShowQR shows the label's QR codes alone, for a phone's camera.
func codeShowQR(ctx context.Context, j *job) error {
	l, err := j.makeLabel(ctx)
	if err != nil {
		return err
	}
	_, err = io.WriteString(j.stdout, l.blocks())
	return err
}

// makeLabel returns the label for the code that is given, which must be the gateway's if it has one.
func (j *job) makeLabel(ctx context.Context) (*label, error) {
	c, err := j.daemonConfig()
	if err != nil {
		return nil, err
	}
	v, err := code.Load(c.Store.Dir)
	shut := new(code.SealedError)
	if err != nil && !errors.As(err, &shut) {
		return nil, asRoot(err)
	}
	secret, err := j.readCode(ctx)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	var user string
	if v != nil {
		user = cmp.Or(j.user, v.User)
		if user != v.User || !v.Matches(secret) {
			return nil, usagef("that is not this gateway's code")
		}
	} else if user, err = unchecked(j, shut.User, secret); err != nil {
		return nil, err
	}
	return newLabel(cmp.Or(j.name, c.Bluetooth.Name), user, string(secret), j.page)
}

// unchecked returns whose code this is, which nothing is there to be compared with: there is none, or
// it is sealed, and then its user is known.
func unchecked(j *job, known string, secret []byte) (user string, err error) {
	if user = j.owner(); known != "" {
		if user = cmp.Or(j.user, known); user != known {
			return "", usagef("that is not this gateway's code")
		}
		_, err = fmt.Fprintln(j.stderr, "The gateway's code is sealed, so it was not compared with this one: try the label, wifiprovctl provision --code.")
		if err != nil {
			return "", err
		}
	}
	if _, err := code.Verifier(user, secret); err != nil {
		return "", usageError{err}
	}
	return user, nil
}

// newPayload returns the text of the QR code.
func newPayload(name, user, code string) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(payload{"v1", name, user, code, "ble", 2, "wifi"})
	return strings.TrimSpace(text.String()), err
}

// pageAddress returns address, which must be one that a fragment can be put behind.
func pageAddress(address string) (string, error) {
	u, err := url.Parse(address)
	unseen := func(r rune) bool { return r <= ' ' || r > '~' }
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Contains(address, "#") || strings.ContainsFunc(address, unseen) {
		return "", errors.New("the page has an address such as https://example.com/setup/, without a fragment")
	}
	return address, nil
}

// pageLink returns the page's address with the label in the fragment, which browsers send to
// nobody, as the page in web/ reads it (docs/web.md).
func pageLink(page, name, user, code string) string {
	// The page would take a plus for a space, but other readers of addresses may not.
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	link := page + "#code=" + escape(code) + "&name=" + escape(name)
	if user != protocomm.DefaultUser {
		link += "&user=" + escape(user)
	}
	return link
}

// newLabel returns a label, with a second QR code if page is not empty.
func newLabel(name, user, code, page string) (*label, error) {
	text, err := newPayload(name, user, code)
	if err != nil {
		return nil, err
	}
	l := &label{name: name, user: user, code: code}
	if err := l.add("app", text); err != nil || page == "" {
		return l, err
	}
	return l, l.add("browser", pageLink(page, name, user, code))
}

// add adds a QR code with text.
func (l *label) add(reader, text string) error {
	drawn, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return errors.New("name, user, code and page are too long for a QR code")
	}
	c := qrCode{reader: reader}
	for y := range drawn.Bounds().Dy() {
		row := make([]bool, drawn.Bounds().Dx())
		for x := range row {
			row[x] = color.GrayModel.Convert(drawn.At(x, y)).(color.Gray).Y < 128
		}
		c.rows = append(c.rows, row)
	}
	l.codes = append(l.codes, c)
	return nil
}
