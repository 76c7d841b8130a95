package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/profile"
)

// text is a JSON string in which everything invisible is escaped, so that an SSID, which
// whoever is in radio range has chosen, cannot deceive a terminal that prints the value.
type text string

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	b := []byte{'"'}
	for _, r := range string(t) {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"'), nil
}

// cut returns the printable characters of s, at most n bytes.
func cut(s string, n int) text { return text(profile.Printable(s, n)) }

// encode returns the JSON of a struct of this package. It does not escape <, > and & for
// HTML, as six bytes each: the whole might not fit into gatt.MaxValue.
func encode(fields any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil {
		panic(fmt.Sprintf("internal error: encode %T: %v", fields, err))
	}
	return bytes.TrimSpace(b.Bytes())
}
