//go:build lab

package lab

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// result is one measure beside what it is compared with.
type result struct {
	measure   string
	who       string
	times     []time.Duration
	beside    string
	yardstick []time.Duration
}

// row returns the result as a row of the table, with the ratio of the medians.
func (r result) row() string {
	return fmt.Sprintf("| %s | %s | %s: %s | %.2f |", r.measure, spread(r.times), r.beside, spread(r.yardstick), r.ratio())
}

func (r result) ratio() float64 { return median(r.times).Seconds() / median(r.yardstick).Seconds() }

// picture draws the ratios of the results as an SVG: a bar each, beside the line that is the
// yardstick's own time.
func picture(title string, results []result) string {
	const width, label, rowHeight, top = 900, 430, 34, 60
	longest := 1.0
	for _, r := range results {
		longest = max(longest, r.ratio())
	}
	scale := float64(width-label-90) / longest
	height := top + rowHeight*len(results) + 20
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n", width, height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<text x=\"10\" y=\"24\" font-size=\"16\">%s</text>\n",
		width, height, html.EscapeString(title))
	fmt.Fprintf(&b, "<text x=\"10\" y=\"44\" fill=\"#555\">Time as a multiple of the bare join named under each bar; the line is 1.</text>\n")
	for i, r := range results {
		y := top + rowHeight*i
		colour := "#1f6feb"
		if r.who != "wifiprovd" {
			colour = "#8b949e"
		}
		fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\">%s</text>\n", y+14, html.EscapeString(r.measure))
		fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\" font-size=\"10\" fill=\"#777\">%s</text>\n", y+27, html.EscapeString(r.beside))
		fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>\n", label, y+4, r.ratio()*scale, colour)
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\">%.2f</text>\n", float64(label)+r.ratio()*scale+6, y+17, r.ratio())
	}
	one := float64(label) + scale
	fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#d00\" stroke-dasharray=\"4 3\"/>\n</svg>\n", one, top-4, one, height-16)
	return b.String()
}
