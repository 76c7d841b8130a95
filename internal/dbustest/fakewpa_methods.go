package dbustest

import (
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// export puts the fake's methods on the bus. Each is one for all objects.
func (f *WPA) export(conn *dbus.Conn) {
	for iface, table := range map[string]map[string]any{
		wpaName: {
			"GetInterface": f.getInterface, "CreateInterface": f.createInterface, "RemoveInterface": f.removeInterface,
		},
		wpaName + ".Interface": {
			"Scan": f.scan, "AbortScan": f.abortScan, "AddNetwork": f.addNetwork, "SelectNetwork": f.selectNetwork,
			"RemoveNetwork": f.removeNetwork, "RemoveAllNetworks": f.removeAllNetworks,
		},
		"org.freedesktop.DBus.Properties": {"Get": f.get, "GetAll": f.getAll, "Set": f.set},
	} {
		if err := conn.ExportSubtreeMethodTable(table, wpaRoot, iface); err != nil {
			f.t.Fatal(err)
		}
	}
}

// received records a call, and answers it with the fault injected for it.
func (f *WPA) received(method string, args ...any) *dbus.Error {
	for i := range args {
		args[i] = plain(args[i])
	}
	f.mu.Lock()
	if method != "Get" && method != "GetAll" {
		f.requests = append(f.requests, WPARequest{method, args})
	}
	name, hanging := f.errors[method], f.hanging[method]
	f.mu.Unlock()
	if hanging {
		<-f.done
	}
	if name != "" {
		return wpaError(name)
	}
	return nil
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

func wpaError(name string) *dbus.Error { return dbus.NewError(name, []any{"injected by the test"}) }

func (f *WPA) getInterface(ifname string) (dbus.ObjectPath, *dbus.Error) {
	if err := f.received("GetInterface", ifname); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.taken || ifname != f.ifname {
		return "", wpaError(wpaName + ".InterfaceUnknown")
	}
	return wpaIface, nil
}

func (f *WPA) createInterface(args map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	if err := f.received("CreateInterface", args); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if args["Ifname"].Value() != f.ifname {
		return "", wpaError(wpaName + ".UnknownError")
	}
	f.taken = true
	return wpaIface, nil
}

func (f *WPA) removeInterface(path dbus.ObjectPath) *dbus.Error {
	if err := f.received("RemoveInterface", path); err != nil {
		return err
	}
	f.mu.Lock()
	f.taken = false
	f.mu.Unlock()
	f.Emit(wpaRoot, wpaName+".InterfaceRemoved", wpaIface)
	return nil
}

func (f *WPA) scan(args map[string]dbus.Variant) *dbus.Error {
	if err := f.received("Scan", args); err != nil {
		return err
	}
	called, _ := args["SSIDs"].Value().([][]byte)
	var channels []struct{ Frequency, Width uint32 }
	if v, ok := args["Channels"]; ok {
		if err := v.Store(&channels); err != nil {
			return wpaError(wpaName + ".InvalidArgs")
		}
	}
	f.mu.Lock()
	for _, ap := range f.air {
		by := slices.ContainsFunc(called, func(ssid []byte) bool { return string(ssid) == ap.SSID })
		on := slices.ContainsFunc(channels, func(c struct{ Frequency, Width uint32 }) bool { return c.Frequency == uint32(ap.Frequency) })
		if (by || !ap.Hidden && len(called) == 0) && (on || len(channels) == 0) {
			f.hear(ap, time.Now())
		}
	}
	f.mu.Unlock()
	f.InterfaceSignal("ScanDone", true)
	return nil
}

func (f *WPA) abortScan() *dbus.Error { return f.received("AbortScan") }

func (f *WPA) addNetwork(args map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	if err := f.received("AddNetwork", args); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// Like the real one, it uses the number of a network that was removed again.
	path := dbus.ObjectPath(fmt.Sprintf("%s/Networks/%d", wpaIface, len(f.networks)))
	f.networks[path], _ = plain(args).(map[string]any)
	return path, nil
}

func (f *WPA) selectNetwork(path dbus.ObjectPath) *dbus.Error {
	if err := f.received("SelectNetwork", path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.networks[path] == nil {
		return wpaError(wpaName + ".NetworkUnknown")
	}
	f.playing.Go(func() { f.play(path) })
	return nil
}

func (f *WPA) removeNetwork(path dbus.ObjectPath) *dbus.Error {
	if err := f.received("RemoveNetwork", path); err != nil {
		return err
	}
	f.mu.Lock()
	_, there := f.networks[path]
	delete(f.networks, path)
	f.mu.Unlock()
	if !there {
		return wpaError(wpaName + ".NetworkUnknown")
	}
	f.disconnect(path)
	return nil
}

func (f *WPA) removeAllNetworks() *dbus.Error {
	if err := f.received("RemoveAllNetworks"); err != nil {
		return err
	}
	f.mu.Lock()
	clear(f.networks)
	path, _ := f.props["CurrentNetwork"].(dbus.ObjectPath)
	f.mu.Unlock()
	f.disconnect(path)
	return nil
}

// disconnect ends the connection to the network at path, if there is one.
func (f *WPA) disconnect(path dbus.ObjectPath) {
	f.mu.Lock()
	current := path != "/" && f.props["CurrentNetwork"] == path
	f.mu.Unlock()
	if current {
		none := dbus.ObjectPath("/")
		f.Change(Step{"DisconnectReason": int32(-3)})
		f.Change(Step{"State": "disconnected", "CurrentNetwork": none, "CurrentBSS": none, "CurrentAuthMode": "INACTIVE"})
	}
}

func (f *WPA) get(msg dbus.Message, iface, name string) (dbus.Variant, *dbus.Error) {
	if err := f.received("Get", iface, name); err != nil {
		return dbus.Variant{}, err
	}
	props, err := f.properties(msg, iface)
	return props[name], err
}

func (f *WPA) getAll(msg dbus.Message, iface string) (map[string]dbus.Variant, *dbus.Error) {
	if err := f.received("GetAll", iface); err != nil {
		return nil, err
	}
	return f.properties(msg, iface)
}

func (f *WPA) set(iface, name string, value dbus.Variant) *dbus.Error {
	if err := f.received("Set", iface, name, value); err != nil {
		return err
	}
	f.Set(name, value.Value())
	return nil
}

// properties returns the properties of the object that msg is for. A network's
// are not for reading: they hold the key.
func (f *WPA) properties(msg dbus.Message, iface string) (map[string]dbus.Variant, *dbus.Error) {
	path := msg.Headers[dbus.FieldPath].Value()
	props := map[string]dbus.Variant{}
	f.mu.Lock()
	defer f.mu.Unlock()
	if path == wpaIface && iface == wpaName+".Interface" {
		bsss := []dbus.ObjectPath{}
		for _, h := range f.heard {
			bsss = append(bsss, h.path)
		}
		for name, value := range f.props {
			props[name] = dbus.MakeVariant(value)
		}
		props["BSSs"] = dbus.MakeVariant(bsss)
		return props, nil
	}
	for _, h := range f.heard {
		if path == h.path && iface == wpaName+".BSS" {
			return h.properties(), nil
		}
	}
	f.t.Errorf("the fake wpa_supplicant has no properties of %s at %v", iface, path)
	return nil, wpaError("org.freedesktop.DBus.Error.UnknownInterface")
}

func (h heard) properties() map[string]dbus.Variant {
	keyMgmt := func(akms []string) dbus.Variant {
		return dbus.MakeVariant(map[string]dbus.Variant{"KeyMgmt": dbus.MakeVariant(append([]string{}, akms...))})
	}
	return map[string]dbus.Variant{
		"SSID": dbus.MakeVariant([]byte(h.SSID)), "BSSID": dbus.MakeVariant(h.BSSID[:]),
		"Frequency": dbus.MakeVariant(h.Frequency), "Signal": dbus.MakeVariant(int16(-50)),
		"Privacy": dbus.MakeVariant(h.Privacy), "WPA": keyMgmt(h.WPA), "RSN": keyMgmt(h.RSN),
		"Age": dbus.MakeVariant(uint32(time.Since(h.at) / time.Second)),
	}
}
