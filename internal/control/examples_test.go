package control

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// example returns an example that uses the rig's bus as the system bus.
func (r *rig) example(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "../../examples/"+name, args...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+r.address)
	return cmd
}

func (r *rig) connected() {
	r.change(func(s *gateway.Snapshot) {
		s.Turn, s.Status, s.Message, s.Next = s.Turn+1, gateway.Connected, "the network is joined", "nothing"
		s.Network, s.Addresses = &home, wifi.Addresses{IPv4: netip.MustParseAddr("192.0.2.7")}
	})
}

// TestWaitOnline: busctl is Debian's systemd.
func TestWaitOnline(t *testing.T) {
	r := newRig(t, ServerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := r.example(ctx, "wait-online.sh", "1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "wifiprovd is not running") {
		t.Errorf("no daemon: %v\n%s", err, out)
	}
	r.run()
	r.up()
	r.change(func(s *gateway.Snapshot) {
		s.Turn, s.Status, s.Message, s.Reason = 1, gateway.Failed, "the access point refused the key", wifi.FailureWrongPassword
	})
	out, err = r.example(ctx, "wait-online.sh", "1").CombinedOutput()
	if want := "FAILED: the access point refused the key (reason: wrong-password)\n"; err == nil || string(out) != want {
		t.Errorf("failed: %v\n%s", err, out)
	}
	r.connected()
	if out, err = r.example(ctx, "wait-online.sh").CombinedOutput(); err != nil || string(out) != "192.0.2.7\n" {
		t.Errorf("connected: %v\n%s", err, out)
	}
}

// TestFollowStatus: the example starts before the daemon does.
func TestFollowStatus(t *testing.T) {
	r := newRig(t, ServerConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	out := &lockedBuffer{}
	// Debian's own Python has python3-dbus.
	cmd := r.example(ctx, "follow-status.py")
	cmd.Path, cmd.Args = "/usr/bin/python3", []string{"python3", cmd.Args[0]}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	shows := func(want string) {
		t.Helper()
		for end := time.Now().Add(patience); !strings.Contains(out.String(), want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %q in\n%s", want, out)
			}
		}
	}
	shows("wifiprovd is not running")
	r.run()
	r.up()
	shows("IDLE: ")
	r.connected()
	shows("CONNECTED: the network is joined; next: nothing")
}
