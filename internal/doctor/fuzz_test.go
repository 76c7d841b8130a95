package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/dbustest"
)

// foreign is a text that must not get into a command that mends something.
const foreign = "$(reboot)"

// FuzzReplies: whatever the programs of a machine answer and print, and whatever is
// in its /proc and /sys, each check comes to one of the verdicts, and what mends is
// a command of ours.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{})
	bus := dbustest.NewAnswerer(f)
	root := f.TempDir()
	files := []string{"/proc/sys/kernel/osrelease", "/sys/class/net/wlan0/flags", "/sys/class/net/wlan0/phy80211/rfkill0/soft",
		"/sys/class/bluetooth/hci0/rfkill1/soft", "/sys/class/bluetooth/hci0/rfkill1/hard"}
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(root+file), 0o700); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.MkdirAll(root+"/sys/class/leds/ACT", 0o700); err != nil {
		f.Fatal(err)
	}
	written := map[string]string{}
	f.Fuzz(func(t *testing.T, data []byte) {
		v := dbustest.NewValues(data, foreign, "loaded", "masked", "active", "inactive", "failed", "enabled", "disabled", "unmanaged", "configured",
			"1\n", "0x1002", "6.12.93-v8+", "5.66\n", "wpa_supplicant v2.10\n", "global\ncountry 00: X", "country DE: DFS", adapterInterface,
			advertiseManager, "hci0").Valid()
		for _, file := range files {
			text := v.Word()
			if old, is := written[file]; is && old == text {
				continue
			}
			if err := os.WriteFile(root+file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			written[file] = text
		}
		bus.Set(fuzzedAnswer(v))
		visit := fuzzedVisit(v, root)
		visit.conn = bus.Conn
		visit.cfg.Button.Key, visit.cfg.LED.Name, visit.cfg.Store.Seal = 30, "ACT", "tpm2"
		visit.cfg.Bluetooth.Protocols.Espressif = true
		for _, c := range checks {
			checkResult(t, c.name, c.run(visit, t.Context()))
		}
	})
}

func checkResult(t *testing.T, name string, r Result) {
	t.Helper()
	dbustest.CheckText(t, name, r.Fix)
	known := r.Verdict == OK || r.Verdict == Wrong || r.Verdict == Unknown
	if !known || r.Message == "" || (r.Verdict == Wrong) && r.Fix == "" || r.Verdict == OK && r.Fix != "" || strings.Contains(r.Fix, foreign) {
		t.Errorf("%s: %+v", name, r)
	}
}

// fuzzedVisit is an examination of a machine whose programs print anything.
func fuzzedVisit(v *dbustest.Values, root string) *visit {
	m := Machine{Config: "/etc/wifiprovd.yaml", Root: root, UID: v.Int(), Now: time.Unix(int64(v.Int())<<20, 0)}
	m.Run = func(context.Context, string, ...string) (string, error) {
		if v.Pick("", "", "", "missing") != "" {
			return "", os.ErrNotExist
		}
		return v.Word(), nil
	}
	visit := &visit{Machine: m, cfg: config.Default()}
	visit.iface = v.Pick("wlan0", "wlan0", "")
	visit.noIface = "there is no Wi-Fi interface"
	visit.cfg.Store.Dir = filepath.Join(root, "store")
	visit.daemon = control.Status{
		Status: v.Pick("CONNECTED", v.Word()), Message: v.Word(), ReasonCode: byte(v.Int()), Version: v.Word(),
		Advertising: v.Int() > 0, Adapter: v.Word(), AdvertisingMessage: v.Word()}
	switch v.Pick("", "", "none", "other") {
	case "none":
		visit.daemonErr = control.ErrNotRunning
	case "other":
		visit.daemonErr = errors.New(v.Word())
	}
	return visit
}

// fuzzedAnswer makes an answer of v to each call, mostly of the type expected.
func fuzzedAnswer(v *dbustest.Values) dbustest.Answer {
	word, path, yes := func() any { return v.Word() }, func() any { return v.Path("/a") }, func() any { return v.Int() >= 0 }
	return func(_ dbus.ObjectPath, method string, args []any) (string, []any) {
		failure := v.Pick("", "", "", "", "", "", wpa+".InterfaceUnknown", "org.freedesktop.DBus.Error.AccessDenied")
		if failure != "" {
			return failure, v.Body(word)
		}
		switch method[strings.LastIndexByte(method, '.')+1:] {
		case "NameHasOwner":
			return "", v.Body(yes)
		case "LoadUnit", "GetInterface", "GetDeviceByIpIface":
			return "", v.Body(path)
		case "GetLinkByName":
			return "", v.Body(func() any { return int32(v.Int()) }, path)
		case "GetAll":
			return "", v.Body(func() any { return fuzzedUnit(v) })
		case "GetManagedObjects":
			return "", v.Body(func() any { return fuzzedObjects(v) })
		case "Get":
			value := word()
			if args[1] == "Managed" {
				value = yes()
			}
			return "", v.Body(func() any { return dbus.MakeVariant(value) })
		}
		return "", v.Body(v.Value)
	}
}

func fuzzedUnit(v *dbustest.Values) map[string]dbus.Variant {
	word := func() any { return v.Word() }
	type field = dbustest.Field
	return v.Fields(field{Name: "LoadState", Make: word}, field{Name: "ActiveState", Make: word}, field{Name: "SubState", Make: word},
		field{Name: "UnitFileState", Make: word}, field{Name: "ExecMainStatus", Make: func() any { return int32(v.Int()) }})
}

func fuzzedObjects(v *dbustest.Values) map[dbus.ObjectPath]map[string]map[string]dbus.Variant {
	number := func() any { return byte(v.Int()) }
	type field = dbustest.Field
	return map[dbus.ObjectPath]map[string]map[string]dbus.Variant{
		v.Path("/org/bluez/hci0", "/"): {
			adapterInterface: v.Fields(field{Name: "Powered", Make: func() any { return v.Int() >= 0 }}, field{Name: "Address", Make: func() any { return v.Word() }}),
			advertiseManager: v.Fields(field{Name: "SupportedInstances", Make: number}, field{Name: "ActiveInstances", Make: number}),
		},
		v.Path("/org/bluez/hci1"): v.Interfaces(),
	}
}
