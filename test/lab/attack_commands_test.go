//go:build lab

package lab

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/central"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestCentralFloodsCommands names a network and gives CONNECT, again and again, without waiting for
// answers: each would be stored, and tried. The gateway refuses what the store cannot keep up with,
// and serves another phone afterwards.
func TestCentralFloodsCommands(t *testing.T) {
	open := AP{SSID: "served", Security: wifi.Open}
	g := start(t, situation{aps: []AP{open}, config: map[string]string{"bluetooth.security": "none", "log.level": "info"}})
	r := dialATT(t, phoneHCI, notEncrypted)
	w := g.witness()
	w.limitBySystemd()
	from, sent := g.journal.mark(t, "commands"), 0
	is(t, "Security", r.write(central.SecurityUUID, byte(wifi.Open)), nil)
	ssid, control := r.handle(central.SSIDUUID), r.handle(central.ControlUUID)
	for end := time.Now().Add(time.Duration(count(3, 30)) * time.Second); time.Now().Before(end); sent++ {
		name := binary.LittleEndian.AppendUint32([]byte("network "), uint32(sent))
		for _, pdu := range [][]byte{append(le16(opWriteCommand, ssid), name...), append(le16(opWriteCommand, control), byte(central.ControlConnect))} {
			if _, err := r.socket.Write(pdu); err != nil && !errors.Is(err, unix.EAGAIN) {
				t.Fatalf("after %d commands: %v", sent, err)
			}
		}
	}
	waitIdle(t, bluetoothd)
	waitIdle(t, unit)
	taken := len(g.journal.all(from, showing(central.StatusConnecting)))
	t.Logf("%d commands, %d taken", sent, taken)
	if taken < 10 { // nearly each CONNECT of a flood is overtaken by the next one before it is tried
		t.Errorf("only %d of %d commands began an attempt", taken, sent)
	}
	r.leave()
	w.alive()

	g.servesAnother(open, notEncrypted)
}
