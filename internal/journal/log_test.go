package journal

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestTextLogIsEscapedAndRedacted(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(slog.LevelInfo, &out)
	log.Info("connecting", "ssid", wifi.SSID("a\n\x1b[31mb"), "passphrase", wifi.NewPassphrase([]byte("canary-Passw0rd")), messageID, MessageConnected)
	log.Debug("not shown")
	text := out.String()
	switch {
	case strings.Contains(text, "canary-Passw0rd"), strings.Contains(text, "not shown"), strings.Contains(text, MessageConnected):
		t.Errorf("too much is shown: %s", text)
	case strings.Count(text, "\n") != 1, strings.Contains(text, "\x1b"), !strings.Contains(text, "connecting"):
		t.Errorf("not one escaped line: %q", text)
	}
}
