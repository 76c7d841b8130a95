//go:build lab

package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	systemdjournal "github.com/coreos/go-systemd/v22/journal"
	"github.com/godbus/dbus/v5"
)

const (
	busFile        = "/var/lib/lab/bus"        // signals and errors of the system bus, since the first boot
	propertiesFile = "/var/lib/lab/properties" // what noteProperties noted
	plantedPath    = "/lab/planted"
	plantedFile    = "/tmp/planted"
)

// TestCanary runs after all other tests, at the end of every boot, and searches the machine for the
// passwords that they used, and for their PSKs.
func TestCanary(t *testing.T) {
	used := usedSecrets(t)
	canary := usedSecret{"canary", fmt.Sprintf("planted %d canary", os.Getpid())}
	plant(t, canary.Password)
	known := knownPSKs(t)
	needles := known.forms(t, canary)
	planted, missing := len(needles), map[string]bool{"the journal": true, busFile: true, propertiesFile: true, plantedFile: true}
	for _, s := range used {
		needles = append(needles, known.forms(t, s)...)
	}
	known.save(t)
	t.Logf("looking for %d passwords in %d forms", len(used), len(needles))
	search(t, newFinder(needles), func(where string, secret []byte, around string) {
		if slices.ContainsFunc(needles[:planted], func(n []byte) bool { return bytes.Equal(n, secret) }) {
			delete(missing, where)
		} else {
			t.Errorf("%s: a secret: %s", where, around)
		}
	})
	for where := range missing {
		t.Errorf("the search does not find what was planted in %s", where)
	}
}

// plant leaves a secret in a journal entry, a signal, a property and a file.
func plant(t *testing.T, password string) {
	t.Helper()
	if err := os.WriteFile(plantedFile, []byte("x"+password), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(plantedFile) })
	if err := systemdjournal.Send("x"+password, systemdjournal.PriInfo, map[string]string{"SYSLOG_IDENTIFIER": "lab"}); err != nil {
		t.Fatal(err)
	}
	if err := bus(t).Emit(plantedPath, "lab.Canary.Planted", []byte(password)); err != nil {
		t.Fatal(err)
	}
	manager := map[string]any{"GetManagedObjects": func() (managedObjects, *dbus.Error) {
		return managedObjects{plantedPath: {"lab.Canary": {"Value": dbus.MakeVariant([]byte(password))}}}, nil
	}}
	if err := bus(t).ExportMethodTable(manager, plantedPath, "org.freedesktop.DBus.ObjectManager"); err != nil {
		t.Fatal(err)
	}
	noteProperties(t)
	waitFor(t, "planted signal", patience, func() error {
		data, err := os.ReadFile(busFile)
		if err == nil && !strings.Contains(string(data), password) {
			err = errors.New("it was not monitored")
		}
		return err
	})
}

// search searches everything and calls found with where each secret is, and what is around it.
func search(t *testing.T, f *finder, found func(where string, secret []byte, around string)) {
	t.Helper()
	look := func(where string, data []byte) {
		for i, secret := range f.find(data) {
			found(where, secret, fmt.Sprintf("at byte %d of %d: %q", i, len(data), data[max(0, i-200):min(len(data), i+100)]))
		}
	}
	run(t, "journalctl", "--sync")
	text := run(t, "journalctl", "--output=export", "--all")
	look("the journal", []byte(text))
	total, files := 0, 0
	for _, root := range []string{"/etc", "/home", "/root", "/run", "/tmp", "/var"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case exempt(path):
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case !d.Type().IsRegular():
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return nil // gone, or of a kind that cannot be read
			}
			files, total = files+1, total+len(data)
			if path == busFile {
				data = withoutData(data)
			}
			look(path, data)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("searched %d bytes of journal, %d files of %d bytes", len(text), files, total)
}

// withoutData leaves the daemon's signals Data to one program out of what was monitored on the bus: they are how a maker's
// program gets what may be a secret. What is behind a message that is cut off, by a power cut, stays as it is.
func withoutData(stream []byte) (kept []byte) {
	for len(stream) > 0 {
		size, header := messageSize(stream)
		if size == 0 {
			return append(kept, stream...)
		}
		message := stream[:size]
		stream = stream[size:]
		if bytes.Contains(header, []byte(controlInterface+"\x00")) && bytes.Contains(header, []byte("Data\x00")) {
			m, err := dbus.DecodeMessage(bytes.NewReader(message))
			if err == nil && m.Headers[dbus.FieldMember].Value() == "Data" && m.Headers[dbus.FieldDestination].Value() != nil {
				continue
			}
		}
		kept = append(kept, message...)
	}
	return kept
}

// messageSize returns how long the message is that a stream begins with, and its header; 0 if it is not whole (D-Bus
// specification, "Message Format").
func messageSize(stream []byte) (int, []byte) {
	const fixed, little = 16, 'l'
	if len(stream) < fixed || stream[0] != little {
		return 0, nil
	}
	body, fields := binary.LittleEndian.Uint32(stream[4:]), binary.LittleEndian.Uint32(stream[12:])
	header := fixed + (int(fields)+7)/8*8
	if size := header + int(body); body < 1<<27 && fields < 1<<26 && size <= len(stream) {
		return size, stream[:header]
	}
	return 0, nil
}

// exempt reports whether a file may hold secrets: the daemon's store, the access points'
// configuration and NetworkManager's profiles in memory, the lists of secrets; or is searched otherwise: the journal.
func exempt(path string) bool {
	switch path {
	case storeFile, secretsFile, pskFile, "/var/log/journal", "/run/log/journal":
		return true
	}
	ap, _ := filepath.Match("/var/lib/lab/ap*.conf", path)
	return ap || path == "/run/NetworkManager/system-connections"
}

// noteProperties appends the properties that anyone on the bus may read, of bluetoothd and of the
// daemon, to the file that TestCanary searches. bluetoothd caches what a connected phone has read
// and written.
func noteProperties(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(propertiesFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	if err := bus(t).BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	var own map[string]dbus.Variant
	if bus(t).Object(controlName, controlPath).Call("org.freedesktop.DBus.Properties.GetAll", dbus.FlagNoAutoStart, controlInterface).Store(&own) == nil {
		fmt.Fprintln(f, controlName, own)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var calls []*dbus.Call // all at once: each turn of two programs costs
	for _, name := range names {
		if !strings.HasPrefix(name, ":") {
			continue // another name of a connection that is in the list, too
		}
		for _, path := range []dbus.ObjectPath{"/", "/wifiprovd/gatt", plantedPath} {
			calls = append(calls, bus(t).Object(name, path).
				GoWithContext(ctx, "org.freedesktop.DBus.ObjectManager.GetManagedObjects", dbus.FlagNoAutoStart, nil))
		}
	}
	for _, call := range calls {
		var all managedObjects
		if (<-call.Done).Store(&all) == nil {
			fmt.Fprintln(f, call.Destination, all)
		}
	}
}
