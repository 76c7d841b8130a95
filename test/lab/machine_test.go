//go:build lab

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// patience bounds the wait for something that does happen. It is generous: the machine is emulated.
const patience = 60 * time.Second

// run runs a command, which must succeed, and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := try(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try runs a command and returns what it printed on standard output; the error
// has what it printed on standard error.
func try(name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// waitFor waits until check returns nil, and returns how long that took. After limit it fails the
// test with check's last error.
func waitFor(t testing.TB, what string, limit time.Duration, check func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		round := time.Now()
		err := check()
		took := time.Since(begin)
		switch {
		case err == nil:
			return took
		case took > limit:
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
		// A check that runs programs would fill the machine's core, and in a long wait only the checks cost anything.
		time.Sleep(max(50*time.Millisecond, 4*time.Since(round), took/25))
	}
}

var systemBus struct {
	sync.Mutex
	*dbus.Conn
}

// bus returns the tests' own connection to the system bus.
func bus(t testing.TB) *dbus.Conn {
	t.Helper()
	systemBus.Lock()
	defer systemBus.Unlock()
	if systemBus.Conn == nil || !systemBus.Connected() { // a test restarts the bus
		conn, err := dbus.ConnectSystemBus()
		if err != nil {
			t.Fatalf("connect to the system bus: %v", err)
		}
		systemBus.Conn = conn
	}
	return systemBus.Conn
}

// managedObjects are the properties of objects, by path and interface.
type managedObjects map[dbus.ObjectPath]map[string]map[string]dbus.Variant

// objects returns the objects that a service on the bus has below root. It does not start a service
// that does not run.
func objects(t testing.TB, service string, root dbus.ObjectPath) (managedObjects, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all managedObjects
	call := bus(t).Object(service, root).CallWithContext(ctx, "org.freedesktop.DBus.ObjectManager.GetManagedObjects", dbus.FlagNoAutoStart)
	return all, call.Store(&all)
}

// systemctl runs systemctl, which must succeed.
func systemctl(t testing.TB, args ...string) {
	t.Helper()
	run(t, "systemctl", args...)
}

// dropIn adds settings to the daemon's unit, from its next start until the test ends.
func dropIn(t testing.TB, settings string) {
	t.Helper()
	const folder = "/run/systemd/system/" + unit + ".d"
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(folder+"/test.conf", []byte("[Service]\n"+settings+"\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload")
	t.Cleanup(func() {
		_ = os.RemoveAll(folder)
		systemctl(t, "daemon-reload")
	})
}
