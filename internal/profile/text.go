package profile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns the printable characters of s, at most n bytes.
func Printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
