package wifi

import (
	"strings"
	"testing"
)

func TestParseCountry(t *testing.T) {
	for _, code := range []string{"DE", "AD", "ZW", "GB", "US"} {
		if got, err := ParseCountry(code); err != nil || string(got) != code {
			t.Errorf("%q: got %q, %v", code, got, err)
		}
	}
	for _, code := range []string{"", "D", "de", "DEU", "00", "XX", "ZZ", "UK", "EU", "E ", " A", "  ", "D\x00", "é"} {
		if got, err := ParseCountry(code); err == nil || got != "" {
			t.Errorf("%q is taken for %q", code, got)
		}
	}
	if _, err := ParseCountry("UK"); !strings.Contains(err.Error(), "GB") {
		t.Errorf("UK: %v", err)
	}
	if n := len(strings.Fields(countries)); n != 249 {
		t.Errorf("%d countries", n)
	}
}
