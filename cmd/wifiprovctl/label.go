package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/wifiprovd/wifiprovd/internal/code"
)

// quiet is how many modules stay white around a QR code, as readers want (ISO/IEC 18004, 5.3.8).
const quiet = 4

// pngScale is how many pixels a module has in a PNG: 45 modules make 3 cm at 300 dpi.
const pngScale = 8

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
	modules          [][]bool // of the QR code, true for dark
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

// codeShowQR shows the QR code alone, for a phone's camera.
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
	return newLabel(cmp.Or(j.name, c.Bluetooth.Name), user, string(secret))
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

func newLabel(name, user, code string) (*label, error) {
	text, err := newPayload(name, user, code)
	if err != nil {
		return nil, err
	}
	drawn, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, errors.New("name, user and code are too long for a QR code")
	}
	l := &label{name: name, user: user, code: code}
	for y := range drawn.Bounds().Dy() {
		row := make([]bool, drawn.Bounds().Dx())
		for x := range row {
			row[x] = color.GrayModel.Convert(drawn.At(x, y)).(color.Gray).Y < 128
		}
		l.modules = append(l.modules, row)
	}
	return l, nil
}

// dark reports whether there is a dark module at x and y, which may be in the quiet zone.
func (l *label) dark(x, y int) bool {
	n := len(l.modules)
	return 0 <= x && x < n && 0 <= y && y < n && l.modules[y][x]
}

// blocks draws the QR code with two modules a character. What is drawn are the light ones, as
// terminals mostly are dark; on a light one all is inverted, which readers take, too.
func (l *label) blocks() string {
	var b strings.Builder
	n := len(l.modules)
	for y := -quiet; y < n+quiet; y += 2 {
		for x := -quiet; x < n+quiet; x++ {
			switch above, below := !l.dark(x, y), !l.dark(x, y+1); {
			case above && below:
				b.WriteRune('█')
			case above:
				b.WriteRune('▀')
			case below:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (l *label) text() []byte {
	return fmt.Appendf(nil, "%sname  %s\nuser  %s\ncode  %s\n", l.blocks(), printable(l.name), l.user, l.code)
}

// svg draws the label in units of a module.
func (l *label) svg() []byte {
	var b bytes.Buffer
	n := len(l.modules) + 2*quiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%dmm">`+"\n", n, n+14, n)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n"+`<path d="`)
	for y, row := range l.modules {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString("\"/>\n<g font-family=\"monospace\" font-size=\"3.2\" text-anchor=\"middle\">\n")
	for i, line := range []string{l.name, l.user, l.code} {
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", n/2, n+2+4*i, html.EscapeString(line))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// png draws the QR code alone: there is no font for the text.
func (l *label) png() ([]byte, error) {
	n := (len(l.modules) + 2*quiet) * pngScale
	picture := image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.White, color.Black})
	for y := range n {
		for x := range n {
			if l.dark(x/pngScale-quiet, y/pngScale-quiet) {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	return b.Bytes(), err
}
