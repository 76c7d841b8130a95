package journal

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The journal catalog explains each message id, in words that use the fields
// which the line has, and each reason there is.
func TestCatalog(t *testing.T) {
	data, err := os.ReadFile("../../packaging/systemd/wifiprovd.catalog")
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	for _, part := range strings.Split(string(data), "\n-- ")[1:] {
		id, text, _ := strings.Cut(part, "\n")
		entries[id] = text
	}
	messages := map[string][]string{
		MessagePasskey:   {"CENTRAL", "PASSKEY"},
		MessageConnected: {"SSID"},
		MessageFailed:    {"SSID", "REASON"},
		MessageErased:    nil,
		MessageNoAddress: {"SSID"},
		MessageAddress:   {"SSID"},
	}
	if len(entries) != len(messages) {
		t.Errorf("the catalog has %d entries, want %d", len(entries), len(messages))
	}
	field := regexp.MustCompile(`@(\w+)@`)
	for id, fields := range messages {
		text := entries[id]
		if !strings.HasPrefix(text, "Subject: ") {
			t.Errorf("%s is not in the catalog", id)
		}
		want := map[string]bool{}
		for _, f := range fields {
			want["WIFIPROVD_"+f] = true
			if !strings.Contains(text, "@WIFIPROVD_"+f+"@") {
				t.Errorf("%s does not show %s", id, f)
			}
		}
		for _, m := range field.FindAllStringSubmatch(text, -1) {
			if !want[m[1]] {
				t.Errorf("%s shows %s, which its line does not have", id, m[1])
			}
		}
	}
	for reason := wifi.FailureWrongPassword; reason <= wifi.FailureInternal; reason++ {
		if !strings.Contains(entries[MessageFailed], "\n"+reason.String()+": ") {
			t.Errorf("the catalog does not explain %s", reason)
		}
	}
}
