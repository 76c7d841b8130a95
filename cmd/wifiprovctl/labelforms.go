package main

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"unicode"

	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// quiet is how many modules stay white around a QR code, as readers want (ISO/IEC 18004, 5.3.8).
const quiet = 4

// A label is drawn in units of a module, half a millimetre: a whole number of dots for printers of
// 203 and of 300 dpi, and for these the pixels of a PNG.
const (
	millimetres = 0.5
	pngScale    = 6 // pixels a module
)

// The text's font is a bitmap of 7 by 13 pixels in a PNG, three times as large, and otherwise one
// that is as wide: a character of Courier has 0.6 of the font's size.
const (
	fontScale  = 3
	charWidth  = 7. * fontScale / pngScale
	fontSize   = charWidth / 0.6
	lineHeight = 7
)

// drawing is a label as it is drawn, in modules from the upper left corner.
type drawing struct {
	width, height int
	dark          []stripe
	lines         []line
}

// stripe is a row of n dark modules.
type stripe struct{ x, y, n int }

// line is a line of text: its middle, and what it stands on.
type line struct {
	x    float64
	y    int
	text string
}

// draw lays the label out for a font that has the characters that shown tells.
func (l *label) draw(shown func(rune) bool) drawing {
	var d drawing
	texts := []string{escape(l.name, shown), l.user, l.code}
	for _, text := range texts {
		d.width = max(d.width, int(math.Ceil(float64(len([]rune(text)))*charWidth))+2)
	}
	codes := 0
	for _, c := range l.codes {
		codes += c.size()
		d.height = max(d.height, c.size())
	}
	d.width = max(d.width, codes)
	x, bottom := (d.width-codes)/2, d.height
	for _, c := range l.codes {
		d.dark = append(d.dark, c.stripes(x, bottom-c.size())...)
		if len(l.codes) > 1 {
			d.lines = append(d.lines, line{float64(x) + float64(c.size())/2, bottom + lineHeight - 1, c.reader})
		}
		x += c.size()
	}
	if len(d.lines) > 0 {
		d.height += lineHeight
	}
	for _, text := range texts {
		d.height += lineHeight
		d.lines = append(d.lines, line{float64(d.width) / 2, d.height - 1, text})
	}
	d.height += 2
	return d
}

// size is how many modules the code is wide and high, with its quiet zone.
func (c *qrCode) size() int { return len(c.rows) + 2*quiet }

// dark reports whether there is a dark module at x and y, which may be in the quiet zone.
func (c *qrCode) dark(x, y int) bool {
	n := len(c.rows)
	return 0 <= x && x < n && 0 <= y && y < n && c.rows[y][x]
}

// stripes returns the dark modules of the code with its upper left corner at left and top.
func (c *qrCode) stripes(left, top int) (list []stripe) {
	for y, row := range c.rows {
		for x, dark := range row {
			switch {
			case !dark:
			case c.dark(x-1, y):
				list[len(list)-1].n++
			default:
				list = append(list, stripe{left + quiet + x, top + quiet + y, 1})
			}
		}
	}
	return list
}

// blocks draws the code with two modules a character. What is drawn are the light ones, as
// terminals mostly are dark; on a light one all is inverted, which readers take, too.
func (c *qrCode) blocks() string {
	var b strings.Builder
	n := len(c.rows)
	for y := -quiet; y < n+quiet; y += 2 {
		for x := -quiet; x < n+quiet; x++ {
			switch above, below := !c.dark(x, y), !c.dark(x, y+1); {
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

// blocks draws the codes one below the other, with what each is for if there are several.
func (l *label) blocks() string {
	var b strings.Builder
	for _, c := range l.codes {
		b.WriteString(c.blocks())
		if len(l.codes) > 1 {
			fmt.Fprintf(&b, "%s\n\n", c.reader)
		}
	}
	return b.String()
}

func (l *label) text() []byte {
	var b bytes.Buffer
	b.WriteString(l.blocks())
	fmt.Fprintf(&b, "name  %s\nuser  %s\ncode  %s\n", printable(l.name), l.user, l.code)
	return b.Bytes()
}

func (l *label) svg() []byte {
	var b bytes.Buffer
	d := l.draw(unicode.IsPrint)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%gmm" height="%gmm">`+"\n",
		d.width, d.height, float64(d.width)*millimetres, float64(d.height)*millimetres)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n"+`<path d="`)
	for _, r := range d.dark {
		fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", r.x, r.y, r.n, r.n)
	}
	fmt.Fprintf(&b, "\"/>\n<g font-family=\"monospace\" font-size=\"%.2f\" text-anchor=\"middle\">\n", fontSize)
	for _, t := range d.lines {
		fmt.Fprintf(&b, `<text x="%g" y="%d">%s</text>`+"\n", t.x, t.y, html.EscapeString(t.text))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

func (l *label) png() ([]byte, error) {
	d := l.draw(func(r rune) bool { return ' ' <= r && r <= '~' })
	picture := image.NewPaletted(image.Rect(0, 0, d.width*pngScale, d.height*pngScale), color.Palette{color.White, color.Black})
	for _, r := range d.dark {
		fill(picture, r.x*pngScale, r.y*pngScale, r.n*pngScale, pngScale)
	}
	for _, t := range d.lines {
		x := int((t.x - float64(len(t.text))*charWidth/2) * pngScale)
		for i, r := range t.text {
			drawGlyph(picture, x+i*7*fontScale, t.y*pngScale, r)
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	return b.Bytes(), err
}

// drawGlyph draws the character r, which stands on y.
func drawGlyph(picture *image.Paletted, x, y int, r rune) {
	at, mask, from, _, _ := basicfont.Face7x13.Glyph(fixed.Point26_6{}, r)
	for row := range at.Dy() {
		for column := range at.Dx() {
			if _, _, _, a := mask.At(from.X+column, from.Y+row).RGBA(); a != 0 {
				fill(picture, x+(at.Min.X+column)*fontScale, y+(at.Min.Y+row)*fontScale, fontScale, fontScale)
			}
		}
	}
}

// fill makes a rectangle black.
func fill(picture *image.Paletted, left, top, width, height int) {
	for y := top; y < top+height; y++ {
		for x := left; x < left+width; x++ {
			picture.SetColorIndex(x, y, 1)
		}
	}
}

// pdf draws the label on a page of its size. There is no date in it: the same label is the same
// file. Courier is in every reader (ISO 32000-1, 9.6.2.2), with the characters of Latin-1.
func (l *label) pdf() []byte {
	d := l.draw(func(r rune) bool { return unicode.IsPrint(r) && r <= unicode.MaxLatin1 })
	const scale = millimetres * 72 / 25.4 // points a module
	width, height := float64(d.width)*scale, float64(d.height)*scale
	var content bytes.Buffer
	fmt.Fprintf(&content, "%.4f 0 0 %.4f 0 %.2f cm\n", scale, -scale, height) // modules, downwards
	for _, r := range d.dark {
		fmt.Fprintf(&content, "%d %d %d 1 re\n", r.x, r.y, r.n)
	}
	fmt.Fprintf(&content, "f\nBT /F %.2f Tf\n", fontSize)
	for _, t := range d.lines {
		var text []byte
		for _, r := range t.text {
			text = append(text, byte(r))
		}
		fmt.Fprintf(&content, "1 0 0 -1 %.2f %d Tm <%x> Tj\n", t.x-float64(len(text))*charWidth/2, t.y, text)
	}
	content.WriteString("ET\n")
	return pdfFile(
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.2f %.2f] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>", width, height),
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", content.Len(), content.Bytes()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
	)
}

// pdfFile returns the file with these objects, numbered from 1; the first is the catalog.
func pdfFile(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	table := fmt.Sprintf("xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for i, object := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	fmt.Fprintf(&b, "%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", table, len(objects)+1, start)
	return b.Bytes()
}
