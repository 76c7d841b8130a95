package dbustest

import (
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// answer is what a method returns: values, or the name of an error; and what
// happens after it has answered.
type answer struct {
	values []any
	err    string
	after  func()
}

func failed(name string) answer { return answer{err: wpaName + "." + name} }

// serve answers the calls that come in on conn, one after the other, as
// wpa_supplicant's single thread does: what a call causes is signalled after its
// answer.
func (f *WPA) serve(conn *dbus.Conn) {
	methods := map[string]func(*dbus.Message) answer{
		"GetInterface": f.getInterface, "CreateInterface": f.createInterface, "RemoveInterface": f.removeInterface,
		"Scan": f.scan, "AbortScan": func(*dbus.Message) answer { return answer{} },
		"AddNetwork": f.addNetwork, "SelectNetwork": f.selectNetwork,
		"SignalPoll":    signalPoll,
		"RemoveNetwork": f.removeNetwork, "RemoveAllNetworks": f.removeAllNetworks,
		"Get": f.get, "GetAll": f.getAll, "Set": f.set,
	}
	incoming, owner := make(chan *dbus.Message, 1000), make(chan bool)
	conn.Eavesdrop(incoming) // from here on, conn gets no answers
	f.serving.Go(func() {
		for msg := range incoming {
			name, _ := msg.Headers[dbus.FieldMember].Value().(string)
			if name == "NameAcquired" && msg.Body[0] == wpaName {
				close(owner)
			}
			if method := methods[name]; method != nil && msg.Type == dbus.TypeMethodCall {
				f.answer(conn, msg, name, method)
			}
		}
	})
	conn.BusObject().Go("org.freedesktop.DBus.RequestName", dbus.FlagNoReplyExpected, nil, wpaName, uint32(dbus.NameFlagDoNotQueue))
	<-owner
}

// answer answers one call, unless it is to hang.
func (f *WPA) answer(conn *dbus.Conn, call *dbus.Message, name string, method func(*dbus.Message) answer) {
	fault, hangs := f.record(name, call.Body)
	if hangs {
		return
	}
	a := answer{err: fault}
	if fault == "" {
		a = method(call)
	}
	msg := &dbus.Message{Type: dbus.TypeMethodReply, Body: a.values, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: call.Headers[dbus.FieldSender],
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
	}}
	if a.err != "" {
		msg.Type, msg.Body = dbus.TypeError, []any{"from the fake"}
		msg.Headers[dbus.FieldErrorName] = dbus.MakeVariant(a.err)
	}
	if len(msg.Body) > 0 {
		msg.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(msg.Body...))
	}
	conn.Send(msg, nil)
	if a.after != nil {
		a.after()
	}
}

// record records a call and returns the fault injected for it.
func (f *WPA) record(method string, args []any) (err string, hangs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if method != "Get" && method != "GetAll" {
		values := []any(nil)
		for _, arg := range args {
			values = append(values, plain(arg))
		}
		f.requests = append(f.requests, WPARequest{method, values})
	}
	return f.errors[method], f.hanging[method]
}

// plain takes the values out of their variants.
func plain(value any) any {
	switch v := value.(type) {
	case dbus.Variant:
		return plain(v.Value())
	case map[string]dbus.Variant:
		values := map[string]any{}
		for key, value := range v {
			values[key] = plain(value)
		}
		return values
	}
	return value
}

func (f *WPA) getInterface(msg *dbus.Message) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.taken || msg.Body[0] != f.ifname {
		return failed("InterfaceUnknown")
	}
	return answer{values: []any{wpaIface}}
}

func (f *WPA) createInterface(msg *dbus.Message) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if args, _ := plain(msg.Body[0]).(map[string]any); f.ifname == "" || args["Ifname"] != f.ifname {
		return failed("UnknownError")
	}
	f.taken = true
	return answer{values: []any{wpaIface}}
}

func (f *WPA) removeInterface(*dbus.Message) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = false
	return answer{after: func() { f.Emit(wpaRoot, wpaName+".InterfaceRemoved", wpaIface) }}
}

func (f *WPA) scan(msg *dbus.Message) answer {
	args, _ := plain(msg.Body[0]).(map[string]any)
	called, _ := args["SSIDs"].([][]byte)
	channels, _ := args["Channels"].([][]any)
	finish := func() {
		f.mu.Lock()
		for _, ap := range f.air {
			by := slices.ContainsFunc(called, func(ssid []byte) bool { return string(ssid) == ap.SSID })
			on := slices.ContainsFunc(channels, func(c []any) bool { return c[0] == uint32(ap.Frequency) })
			if on = on || len(channels) == 0; !on || ap.Mute && args["Type"] != "passive" {
				continue
			}
			if ap.Hidden && !by { // its beacons do not tell the SSID
				ap.SSID = ""
			}
			if by || len(called) == 0 {
				f.hear(ap, time.Now())
			}
		}
		f.mu.Unlock()
		f.InterfaceSignal("ScanDone", true)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range channels {
		if f.lacking != 0 && c[0] == f.lacking { // cfg80211 answers EINVAL: no channel is left
			return answer{after: func() { f.InterfaceSignal("ScanDone", false) }}
		}
	}
	if !f.slow {
		return answer{after: finish}
	}
	return answer{after: func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.finish = finish
	}}
}

func (f *WPA) addNetwork(msg *dbus.Message) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Like the real one, it uses the number of a network that was removed again.
	path := dbus.ObjectPath(fmt.Sprintf("%s/Networks/%d", wpaIface, len(f.networks)))
	f.networks[path], _ = plain(msg.Body[0]).(map[string]any)
	return answer{values: []any{path}}
}

func (f *WPA) selectNetwork(msg *dbus.Message) answer {
	path, _ := msg.Body[0].(dbus.ObjectPath)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.networks[path] == nil {
		return failed("NetworkUnknown")
	}
	return answer{after: func() { f.play(path) }}
}

func (f *WPA) removeNetwork(msg *dbus.Message) answer {
	path, _ := msg.Body[0].(dbus.ObjectPath)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.networks[path] == nil {
		return failed("NetworkUnknown")
	}
	delete(f.networks, path)
	return answer{after: func() { f.disconnect(path) }}
}

func (f *WPA) removeAllNetworks(*dbus.Message) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.networks)
	path, _ := f.props["CurrentNetwork"].(dbus.ObjectPath)
	return answer{after: func() { f.disconnect(path) }}
}

// disconnect ends the connection to the network at path, if there is one.
func (f *WPA) disconnect(path dbus.ObjectPath) {
	f.mu.Lock()
	current := path != "/" && f.props["CurrentNetwork"] == path && f.props["State"] != "interface_disabled"
	f.mu.Unlock()
	if current {
		none := dbus.ObjectPath("/")
		f.Change(Step{"DisconnectReason": int32(-3)})
		f.Change(Step{"State": "disconnected", "CurrentNetwork": none, "CurrentBSS": none, "CurrentAuthMode": "INACTIVE"})
	}
}

func (f *WPA) get(msg *dbus.Message) answer {
	name, _ := msg.Body[1].(string)
	if value, ok := f.properties(msg)[name]; ok {
		return answer{values: []any{value}}
	}
	return answer{err: "org.freedesktop.DBus.Error.InvalidArgs"}
}

func (f *WPA) getAll(msg *dbus.Message) answer {
	if props := f.properties(msg); props != nil {
		a := answer{values: []any{props}}
		f.mu.Lock()
		if f.onJoin != nil && msg.Body[0] == wpaName+".Interface" && f.props["State"] == "completed" {
			a.after = f.onJoin
		}
		f.mu.Unlock()
		return a
	}
	return answer{err: "org.freedesktop.DBus.Error.InvalidArgs"}
}

func (f *WPA) set(msg *dbus.Message) answer {
	name, _ := msg.Body[1].(string)
	f.Set(name, plain(msg.Body[2]))
	return answer{}
}

// properties returns the properties of the object that msg is for. A network's
// are not for reading: they hold the key.
func (f *WPA) properties(msg *dbus.Message) map[string]dbus.Variant {
	path, iface := msg.Headers[dbus.FieldPath].Value(), msg.Body[0]
	f.mu.Lock()
	defer f.mu.Unlock()
	if path == wpaIface && iface == wpaName+".Interface" {
		bsss := []dbus.ObjectPath{}
		for _, h := range f.heard {
			bsss = append(bsss, h.path)
		}
		props := map[string]dbus.Variant{"BSSs": dbus.MakeVariant(bsss)}
		for name, value := range f.props {
			props[name] = dbus.MakeVariant(value)
		}
		return props
	}
	for _, h := range f.heard {
		if path == h.path && iface == wpaName+".BSS" {
			return h.properties()
		}
	}
	f.t.Errorf("the fake wpa_supplicant has no properties of %v at %v", iface, path)
	return nil
}

// signalPoll answers with a dictionary in a variant, as wpa_supplicant does.
func signalPoll(*dbus.Message) answer {
	return answer{values: []any{dbus.MakeVariant(map[string]dbus.Variant{"rssi": dbus.MakeVariant(int32(-42))})}}
}
