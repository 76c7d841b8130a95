package dbustest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	wpaName  = "fi.w1.wpa_supplicant1"
	wpaRoot  = dbus.ObjectPath("/fi/w1/wpa_supplicant1")
	wpaIface = wpaRoot + "/Interfaces/0"
)

// WPARequest is a method call that the fake has received. Values in variants are
// plain.
type WPARequest struct {
	Method string // without its interface; Set for Properties.Set
	Args   []any
}

// WPA is a fake wpa_supplicant with one radio. Its zero value is not usable.
type WPA struct {
	t       testing.TB
	address string
	serving sync.WaitGroup

	mu       sync.Mutex
	conn     *dbus.Conn // nil: not running
	ifname   string     // of the radio; empty: it is unplugged
	taken    bool       // wpa_supplicant has taken the interface over
	air      []AP
	heard    []heard
	nextBSS  int
	networks map[dbus.ObjectPath]map[string]any
	props    map[string]any // of the interface
	slow     bool           // scans take until FinishScan
	finish   func()         // the running scan's end
	next     []Step         // instead of the next access point's; nil: none
	requests []WPARequest
	errors   map[string]string // method: name of the error it answers with
	hanging  map[string]bool   // method: it does not answer
	onJoin   func()            // runs right after it was told that a network is joined
	lacking  uint32            // MHz, that the radio or the country does not have
}

// StartWPA runs a fake wpa_supplicant on the bus at address, which knows the
// radio ifname but has not taken it over yet.
func StartWPA(t testing.TB, address, ifname string) *WPA {
	f := NewWPA(t, address, ifname)
	f.Start()
	return f
}

// NewWPA returns a fake like StartWPA's that is not running yet.
func NewWPA(t testing.TB, address, ifname string) *WPA {
	f := &WPA{t: t, address: address, ifname: ifname,
		errors: map[string]string{}, hanging: map[string]bool{}}
	t.Cleanup(f.Stop)
	return f
}

// Start starts it, knowing nothing of an earlier run.
func (f *WPA) Start() {
	f.t.Helper()
	conn, err := dbus.Connect(f.address)
	if err != nil {
		f.t.Error(err)
		return
	}
	f.mu.Lock()
	f.conn, f.taken, f.heard, f.networks = conn, false, nil, map[dbus.ObjectPath]map[string]any{}
	f.props = map[string]any{
		"State": "disconnected", "Country": "00", "CurrentNetwork": dbus.ObjectPath("/"),
		"CurrentBSS": dbus.ObjectPath("/"), "CurrentAuthMode": "INACTIVE",
		"Capabilities": map[string]dbus.Variant{
			"KeyMgmt":   dbus.MakeVariant([]string{"none", "wpa-psk", "wpa-psk-sha256", "sae"}),
			"GroupMgmt": dbus.MakeVariant([]string{"aes-128-cmac"}),
			"Pairwise":  dbus.MakeVariant([]string{"ccmp", "tkip", "none"}),
			"Group":     dbus.MakeVariant([]string{"ccmp", "tkip", "wep104", "wep40"}),
		},
	}
	f.mu.Unlock()
	f.serve(conn)
}

// Stop ends it at once, as a crash does.
func (f *WPA) Stop() {
	f.mu.Lock()
	conn := f.conn
	f.conn = nil
	f.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	f.serving.Wait()
}

// Requests returns the calls received so far, without those that only read
// properties.
func (f *WPA) Requests() []WPARequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Calls returns the requests that called one of methods.
func (f *WPA) Calls(methods ...string) []WPARequest {
	return slices.DeleteFunc(f.Requests(), func(r WPARequest) bool { return !slices.Contains(methods, r.Method) })
}

// Networks returns how many networks are configured.
func (f *WPA) Networks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.networks)
}

// Air replaces the access points that a scan hears.
func (f *WPA) Air(air ...AP) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.air = air
}

// Next are the steps that the next network to be selected goes through, instead of
// its access point's.
func (f *WPA) Next(steps ...Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = steps
}

// SlowScans makes every scan from now on take until FinishScan.
func (f *WPA) SlowScans() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = true
}

// FinishScan ends the running scan, and returns false if there is none.
func (f *WPA) FinishScan() bool {
	f.mu.Lock()
	finish := f.finish
	f.finish = nil
	f.mu.Unlock()
	if finish == nil {
		return false
	}
	finish()
	return true
}

// Hear adds scan results that are age old.
func (f *WPA) Hear(age time.Duration, aps ...AP) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ap := range aps {
		f.hear(ap, time.Now().Add(-age))
	}
}

// Fail makes a method answer with the D-Bus error called name, until name is
// empty.
func (f *WPA) Fail(method, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors[method] = name
}

// Hang makes a method not answer.
func (f *WPA) Hang(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hanging[method] = true
}

// Answer undoes Hang, for later calls.
func (f *WPA) Answer(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.hanging, method)
}

// Radio plugs the radio in (as ifname) or pulls it out (empty).
func (f *WPA) Radio(ifname string) {
	f.mu.Lock()
	removed := ifname == "" && f.taken
	f.ifname, f.taken = ifname, f.taken && ifname != ""
	f.mu.Unlock()
	if removed {
		f.Emit(wpaRoot, wpaName+".InterfaceRemoved", wpaIface)
	}
}

// Set sets a property of the interface without a signal.
func (f *WPA) Set(name string, value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.props[name] = value
}

// Change changes properties of the interface, and says so.
func (f *WPA) Change(step Step) {
	changed := map[string]dbus.Variant{}
	f.mu.Lock()
	for name, value := range step {
		f.props[name] = value
		changed[name] = dbus.MakeVariant(value)
	}
	f.mu.Unlock()
	f.Emit(wpaIface, "org.freedesktop.DBus.Properties.PropertiesChanged", wpaName+".Interface", changed, []string{})
}

// InterfaceSignal sends a signal of the interface, such as PskMismatch.
func (f *WPA) InterfaceSignal(name string, values ...any) {
	f.Emit(wpaIface, wpaName+".Interface."+name, values...)
}

// Emit sends a signal.
func (f *WPA) Emit(path dbus.ObjectPath, name string, values ...any) {
	f.mu.Lock()
	conn := f.conn
	f.mu.Unlock()
	if conn != nil {
		_ = conn.Emit(path, name, values...)
	}
}

// LackChannel makes the radio, or its country, be without the channel at this
// frequency, in MHz.
func (f *WPA) LackChannel(frequency uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lacking = frequency
}

// OnJoin has act run right after it was told that a network is joined.
func (f *WPA) OnJoin(act func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onJoin = act
}
