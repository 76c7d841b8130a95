// picture draws the output of "make demo" as an SVG: what the phone shows on the left, the
// gateway's journal on the right, in the order in which it happened.
//
// Usage: picture <console.txt >demo.svg
package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"strings"
)

const (
	width, phoneWidth = 1200, 310
	rowHeight, top    = 17, 64
	perLine           = 118 // characters
	perPhoneLine      = 36
)

// row is one line of either side.
type row struct {
	phone bool
	text  string
}

func main() {
	rows := read(bufio.NewScanner(os.Stdin))
	if len(rows) == 0 {
		fmt.Fprintln(os.Stderr, "picture: no line of a phone or a gateway on standard input: give it the console.txt of make demo")
		os.Exit(1)
	}
	draw(rows)
}

// read returns the lines until the gateway is switched off.
func read(in *bufio.Scanner) (rows []row) {
	for in.Scan() {
		side, text, found := strings.Cut(strings.TrimRight(in.Text(), "\r"), "| ")
		switch side := strings.TrimSpace(side); {
		case strings.Contains(in.Text(), "switched off and on"):
			return rows
		case found && (side == "phone" || side == "gateway"):
			rows = append(rows, wrap(side == "phone", strings.TrimSpace(text))...)
		}
	}
	return rows
}

// wrap breaks a line at spaces.
func wrap(phone bool, text string) (rows []row) {
	limit, indent := perLine, "    "
	if phone {
		limit, indent = perPhoneLine, "       "
	}
	for len(text) > limit {
		cut := strings.LastIndex(text[:limit], " ")
		if cut <= len(indent) {
			break // one word
		}
		rows, text = append(rows, row{phone, text[:cut]}), indent+text[cut+1:]
	}
	return append(rows, row{phone, text})
}

func draw(rows []row) {
	height := top + rowHeight*len(rows) + 40
	fmt.Printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="monospace" font-size="12">`+"\n", width, height)
	fmt.Printf(`<rect x="10" y="10" width="%d" height="%d" rx="28" fill="#fff" stroke="#24292f" stroke-width="8"/>`+"\n", phoneWidth, height-20)
	fmt.Printf(`<rect x="%d" y="10" width="%d" height="%d" rx="8" fill="#0d1117"/>`+"\n", phoneWidth+30, width-phoneWidth-40, height-20)
	fmt.Printf(`<text x="32" y="42" font-weight="bold" fill="#24292f">Phone</text><text x="%d" y="42" font-weight="bold" fill="#fff">Gateway: journalctl -f -u wifiprovd</text>`+"\n", phoneWidth+48)
	for i, r := range rows {
		x, colour := phoneWidth+48, "#c9d1d9"
		switch {
		case r.phone:
			x, colour = 32, "#24292f"
		case strings.Contains(r.text, "status ->"):
			colour = "#7ee787"
		case strings.Contains(r.text, "passkey"):
			colour = "#ffa657"
		}
		fmt.Printf(`<text x="%d" y="%d" fill="%s" xml:space="preserve">%s</text>`+"\n", x, top+rowHeight*(i+1), colour, html.EscapeString(r.text))
	}
	fmt.Println("</svg>")
}
