// Package internal_test holds the rules of who may import whom.
package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wifiprovd/wifiprovd/"

// leaves are the packages that everybody may use: the vocabulary, and small tools.
var leaves = []string{"internal/wifi", "internal/gatt", "internal/gateway"}

// mayUse names, for each of our packages, which others of ours it may use beside the
// leaves, directly or not. Only programs may use all.
var mayUse = map[string][]string{
	"internal/wifi":     {},
	"internal/gatt":     {},
	"internal/gateway":  {},
	"internal/dbustest": {},
	"internal/msgbus":   {},
	"internal/rfkill":   {},
	"internal/iface":    {},
	"internal/verdict":  {},
	"internal/journal":  {},
	"internal/fsm":      {},
	"internal/config":   {},
	"internal/netaddr":  {},
	"internal/button":   {},
	"internal/led":      {},
	"internal/custom":   {},
	"internal/srp":      {},
	"internal/seal":     {},

	"internal/protocomm": {},
	"internal/code":      {"internal/seal", "internal/srp"},

	"internal/systemd":           {"internal/msgbus"},
	"internal/credstore":         {"internal/seal"},
	"internal/daemon":            {"internal/fsm"},
	"internal/hostname":          {"internal/msgbus"},
	"internal/profile":           {},
	"internal/profile/native":    {"internal/custom", "internal/profile"},
	"internal/profile/improv":    {"internal/profile"},
	"internal/profile/espressif": {"internal/profile", "internal/protocomm", "internal/srp"},
	"internal/bluez":             {"internal/msgbus", "internal/rfkill"},
	"internal/nm":                {"internal/msgbus"},
	"internal/wpa":               {"internal/msgbus", "internal/nm", "internal/rfkill", "internal/verdict"},
	"internal/radio":             {"internal/rfkill"},
	"internal/central":           {"internal/msgbus", "internal/protocomm", "internal/srp"},
	"internal/control":           {"internal/custom", "internal/msgbus"},
	"internal/doctor":            {"internal/button", "internal/code", "internal/config", "internal/control", "internal/credstore", "internal/custom", "internal/iface", "internal/msgbus", "internal/radio", "internal/rfkill", "internal/seal", "internal/srp"},
}

// A leaf may use those before it.
func mayUseLeaf(pkg, leaf string) bool {
	i, j := slices.Index(leaves, pkg), slices.Index(leaves, leaf)
	return i < 0 || j < i
}

// owners names the packages that may import a library: its types stay in them.
var owners = map[string][]string{
	"github.com/godbus/dbus/v5": {"internal/msgbus", "internal/bluez", "internal/hostname", "internal/nm", "internal/wpa", "internal/central", "internal/control",
		"internal/doctor", "internal/dbustest", "examples/claim-token"},
	"github.com/muka/go-bluetooth":             {"internal/bluez"},
	"github.com/mdlayher/netlink":              {"internal/netaddr", "internal/iface", "internal/radio"},
	"github.com/mdlayher/genetlink":            {"internal/iface", "internal/radio"},
	"github.com/coreos/go-systemd/v22/daemon":  {"internal/systemd"},
	"github.com/coreos/go-systemd/v22/dbus":    {"internal/systemd"},
	"github.com/coreos/go-systemd/v22/journal": {"internal/journal"},
	"gopkg.in/yaml.v3":                         {"internal/config"},
	"github.com/boombuler/barcode":             {"cmd/wifiprovctl"},
	"golang.org/x/image":                       {"cmd/wifiprovctl"},
	"filippo.io/bigmod":                        {"internal/srp"},
	module + "internal/dbustest":               {}, // for tests only
}

// impure is what the state machine does without: clock, goroutines, I/O, logger.
var impure = []string{"context", "io", "log", "log/slog", "net", "os", "sync", "sync/atomic"}

func TestLayering(t *testing.T) {
	imports := goList(t, "Imports")
	deps := goList(t, "Deps")
	for pkg := range mayUse {
		if _, ok := deps[pkg]; !ok {
			t.Errorf("there is no package %s: take it out of this test", pkg)
		}
	}
	for pkg, list := range deps {
		allowed, known := mayUse[pkg]
		if !strings.HasPrefix(pkg, "internal/") {
			continue
		}
		if !known {
			t.Errorf("say in this test what %s may use", pkg)
		}
		for _, dep := range list {
			name, ours := strings.CutPrefix(dep, module)
			switch {
			case !ours, slices.Contains(allowed, name):
			case slices.Contains(leaves, name) && mayUseLeaf(pkg, name):
			default:
				t.Errorf("%s must not use %s", pkg, name)
			}
		}
	}
	for pkg, paths := range imports {
		for _, path := range paths {
			for library, allowed := range owners {
				if strings.HasPrefix(path+"/", library+"/") && !slices.Contains(allowed, pkg) {
					t.Errorf("%s must not import %s", pkg, path)
				}
			}
		}
	}
	for _, path := range imports["internal/fsm"] {
		if slices.Contains(impure, path) {
			t.Errorf("internal/fsm must not import %s", path)
		}
	}
}

// goList returns a field of go list for each of our packages: Imports without
// those of tests, or Deps.
func goList(t *testing.T, field string) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}}{{range ."+field+"}} {{.}}{{end}}", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		names := strings.Fields(line)
		packages[strings.TrimPrefix(names[0], module)] = names[1:]
	}
	return packages
}
