// Package doctor checks everything a gateway needs: what is wrong, and the command that
// fixes it. It changes nothing.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/control"
	"github.com/wifiprovd/wifiprovd/internal/iface"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
	"github.com/wifiprovd/wifiprovd/internal/rfkill"
)

// Verdict is what a check comes to.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Wrong   Verdict = "wrong"
	Unknown Verdict = "unknown" // cannot be told, for want of rights or of a tool
)

// Result is what a check found. Message may hold the text of any program on the machine.
type Result struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message"`
	Fix     string  `json:"fix,omitempty"` // a command, or what else to do
}

// none is the result of a check of what is not configured: it is not told.
var none = Result{}

// Machine is what is examined.
type Machine struct {
	Config string // the configuration file
	Bus    string // the address of the message bus; empty: the system bus
	Root   string // of /proc and /sys; empty: /
	UID    int    // of whoever examines
	Now    time.Time
	// Interface returns the name of the Wi-Fi interface for what wifi.interface says, and if
	// there is none, why.
	Interface func(setting string) (name, missing string)
	// Run runs a program and returns what it prints.
	Run func(ctx context.Context, name string, args ...string) (string, error)
}

// ThisMachine returns the machine this runs on, with its configuration file.
func ThisMachine(config string) Machine {
	return Machine{Config: config, UID: os.Geteuid(), Now: time.Now(), Run: runProgram, Interface: findInterface}
}

func findInterface(setting string) (name, missing string) {
	return iface.New(setting, slog.New(slog.DiscardHandler)).Find()
}

func runProgram(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	return string(out), err
}

// checkTimeout bounds each check.
const checkTimeout = 5 * time.Second

// visit is one examination.
type visit struct {
	Machine
	conn     *dbus.Conn // nil: there is no bus
	cfg      config.Config
	cfgFiles []string // that were read
	cfgErr   error

	daemon    control.Status
	daemonErr error // the daemon did not answer

	iface   string // the one that the daemon uses or, if it does not say, would use
	noIface string // why there is none

	found    adapters // bluetoothd's, once it was asked
	foundErr error
}

var checks = []struct {
	name string
	run  func(*visit, context.Context) Result
	bus  bool // it asks on the message bus
}{
	{"configuration", (*visit).configuration, false},
	{"service", (*visit).service, true},
	{"store", (*visit).store, false},
	{"seal", theSeal, false},
	{"code", theCode, false},
	{"clock", (*visit).clock, false},
	{"bluetoothd", (*visit).bluetoothd, true},
	{"adapter", (*visit).adapter, true},
	{"advertising", (*visit).advertising, true},
	{"button", theButton, false},
	{"LED", theLED, true},
	{"wpa_supplicant", (*visit).supplicant, true},
	{"radios", radios, true},
	{"interface", (*visit).wifiInterface, true},
	{"country", (*visit).country, false},
	{"managers", (*visit).managers, true},
	{"dhcp", (*visit).dhcp, true},
}

// Examine runs all checks, in order. starting is told the name of each before it runs.
func Examine(ctx context.Context, m Machine, starting func(check string)) []Result {
	v := &visit{Machine: m}
	if v.cfg, v.cfgFiles, v.cfgErr = config.Load(m.Config); v.cfgErr != nil {
		v.cfg = config.Default()
	}
	starting("message bus")
	var results []Result
	if conn, err := msgbus.Dial(ctx, m.Bus); err != nil {
		results = append(results, wrong("systemctl status dbus",
			"the message bus does not answer, so only some checks are made: %v", err).of("message bus"))
	} else {
		defer func() { _ = conn.Close() }()
		v.conn = conn
		within, cancel := context.WithTimeout(ctx, checkTimeout)
		v.daemon, v.daemonErr = control.Read(within, m.Bus)
		cancel()
	}
	v.iface, v.noIface = m.Interface(interfaceSetting(v.cfg.Wifi.Interface, v.daemon))
	for _, c := range checks {
		if c.bus && v.conn == nil {
			continue
		}
		starting(c.name)
		within, cancel := context.WithTimeout(ctx, checkTimeout)
		if result := c.run(v, within); result != none {
			results = append(results, result.of(c.name))
		}
		cancel()
	}
	return results
}

func (r Result) of(check string) Result {
	r.Check = check
	return r
}

func ok(format string, args ...any) Result {
	return Result{Verdict: OK, Message: fmt.Sprintf(format, args...)}
}

func wrong(fix, format string, args ...any) Result {
	return Result{Verdict: Wrong, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func unknown(fix, format string, args ...any) Result {
	return Result{Verdict: Unknown, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// read returns the text of a file below the root, empty if there is none.
func (v *visit) read(path string) string {
	text, _ := os.ReadFile(filepath.Join(v.Root, path))
	return strings.TrimSpace(string(text))
}

// exists reports whether there is a file below the root.
func (v *visit) exists(path string) bool {
	_, err := os.Stat(filepath.Join(v.Root, path))
	return err == nil
}

// blocked returns how rfkill blocks the radio whose switches are in folder: "by software",
// "by a hardware switch", or empty if it does not.
func (v *visit) blocked(folder string) string {
	switch soft, hard := rfkill.Blocked(filepath.Join(v.Root, folder)); {
	case hard:
		return "by a hardware switch"
	case soft:
		return "by software"
	}
	return ""
}
