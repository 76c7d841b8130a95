package dbustest

import (
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// app is a GATT application: its objects in the order in which it gave them.
type app struct {
	export
	order   []dbus.ObjectPath
	objects managedObjects
}

// object serves the methods of every interface at one path.
type object struct {
	b    *BlueZ
	path dbus.ObjectPath
}

func (b *BlueZ) export(conn *dbus.Conn) {
	b.exportAt(conn, "/", objManager, "GetManagedObjects")
	b.exportAt(conn, bluezRoot, agentMgr1, "RegisterAgent", "RequestDefaultAgent")
	b.mu.Lock()
	defer b.mu.Unlock()
	for path := range b.objects {
		b.exportAdapter(conn, path)
	}
}

func (b *BlueZ) exportAdapter(conn *dbus.Conn, path dbus.ObjectPath) {
	b.exportAt(conn, path, adapter1, "RemoveDevice")
	b.exportAt(conn, path, properties, "Set")
	b.exportAt(conn, path, gattMgr1, "RegisterApplication", "UnregisterApplication")
	b.exportAt(conn, path, advMgr1, "RegisterAdvertisement", "UnregisterAdvertisement")
}

func (b *BlueZ) exportAt(conn *dbus.Conn, path dbus.ObjectPath, iface string, methods ...string) {
	o := object{b, path}
	all := map[string]any{
		"GetManagedObjects": o.getManagedObjects, "Set": o.set, "RemoveDevice": o.removeDevice, "Disconnect": o.disconnect,
		"RegisterAgent": o.registerAgent, "RequestDefaultAgent": o.requestDefaultAgent,
		"RegisterApplication": o.registerApplication, "UnregisterApplication": o.unregisterApplication,
		"RegisterAdvertisement": o.registerAdvertisement, "UnregisterAdvertisement": o.unregisterAdvertisement,
	}
	table := map[string]any{}
	for _, name := range methods {
		table[name] = all[name]
	}
	if err := conn.ExportMethodTable(table, path, iface); err != nil {
		b.t.Error(err)
	}
}

// begin notes a call and returns the fault that it answers with, if any. A call
// that hangs does not return before the connection has ended.
func (b *BlueZ) begin(method string) *dbus.Error {
	b.mu.Lock()
	b.requests = append(b.requests, method)
	f, conn := b.faults[method], b.conn
	if f == nil || f.times == 0 {
		b.mu.Unlock()
		return nil
	}
	f.times--
	name := f.name
	b.mu.Unlock()
	if name == "" {
		if conn != nil {
			<-conn.Context().Done()
		}
		name = bluezErrors + "Failed"
	}
	return bluezFailure(name)
}

func bluezFailure(name string) *dbus.Error { return dbus.NewError(name, []any{"as the test wants it"}) }

func (o object) getManagedObjects(sender dbus.Sender) (managedObjects, *dbus.Error) {
	if err := o.b.begin("GetManagedObjects"); err != nil {
		return nil, err
	}
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	o.b.client = string(sender)
	return copyObjects(o.b.objects), nil
}

func (o object) set(iface, property string, value dbus.Variant) *dbus.Error {
	if err := o.b.begin("Set " + property); err != nil {
		return err
	}
	block := property == "Blocked" && value.Value() == true
	// The D-Bus library takes calls at the same time; bluetoothd one after the other.
	for late := time.Now().Add(answerTimeout); property == "Blocked" && !block && !o.b.flag(o.path, iface, property) && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	o.b.Set(o.path, iface, property, value.Value())
	if block {
		o.b.Disconnect(o.path)
	}
	return nil
}

func (o object) disconnect() *dbus.Error {
	if err := o.b.begin("Disconnect"); err != nil {
		return err
	}
	o.b.Disconnect(o.path)
	return nil
}

func (o object) removeDevice(device dbus.ObjectPath) *dbus.Error {
	if err := o.b.begin("RemoveDevice"); err != nil {
		return err
	}
	o.b.mu.Lock()
	known := o.b.objects[device] != nil
	o.b.mu.Unlock()
	if !known {
		return bluezFailure(bluezErrors + "DoesNotExist")
	}
	if !o.b.flag(o.path, adapter1, "Powered") {
		return bluezFailure(bluezErrors + "NotReady")
	}
	o.b.remove(device)
	return nil
}

func (o object) registerAgent(path dbus.ObjectPath, capability string, sender dbus.Sender) *dbus.Error {
	if err := o.b.begin("RegisterAgent"); err != nil {
		return err
	}
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	if o.b.agent.owner == string(sender) {
		return bluezFailure(bluezErrors + "AlreadyExists")
	}
	o.b.agent = agent{export: export{string(sender), path}, capability: capability}
	return nil
}

func (o object) requestDefaultAgent(dbus.ObjectPath) *dbus.Error {
	if err := o.b.begin("RequestDefaultAgent"); err != nil {
		return err
	}
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	o.b.agent.isDefault = true
	return nil
}

// registerApplication calls the application back before it answers, as BlueZ does.
func (o object) registerApplication(path dbus.ObjectPath, _ map[string]dbus.Variant, sender dbus.Sender) *dbus.Error {
	if err := o.b.begin("RegisterApplication"); err != nil {
		return err
	}
	o.b.mu.Lock()
	registered, conn, wire := o.b.indexApp(o.path, sender, path) >= 0, o.b.conn, o.b.wire
	o.b.mu.Unlock()
	if registered {
		return bluezFailure(bluezErrors + "AlreadyExists")
	}
	a, err := readApp(conn, wire, export{string(sender), path})
	if err != nil {
		o.b.t.Errorf("GetManagedObjects of the application: %v", err)
		return bluezFailure(bluezErrors + "Failed")
	}
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	o.b.apps[o.path] = append(o.b.apps[o.path], a)
	return nil
}

// indexApp returns which of an adapter's applications it is, -1 for none. The lock must be held.
func (b *BlueZ) indexApp(adapter dbus.ObjectPath, sender dbus.Sender, path dbus.ObjectPath) int {
	return slices.IndexFunc(b.apps[adapter], func(a *app) bool { return a.export == export{string(sender), path} })
}

func (o object) unregisterApplication(path dbus.ObjectPath, sender dbus.Sender) *dbus.Error {
	if err := o.b.begin("UnregisterApplication"); err != nil {
		return err
	}
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	i := o.b.indexApp(o.path, sender, path)
	if i < 0 {
		return bluezFailure(bluezErrors + "DoesNotExist")
	}
	o.b.apps[o.path] = slices.Delete(o.b.apps[o.path], i, i+1)
	return nil
}

// registerAdvertisement reads the advertisement before it answers, as BlueZ does.
func (o object) registerAdvertisement(path dbus.ObjectPath, _ map[string]dbus.Variant, sender dbus.Sender) *dbus.Error {
	if err := o.b.begin("RegisterAdvertisement"); err != nil {
		return err
	}
	a := advert{export: export{string(sender), path}}
	o.b.mu.Lock()
	registered, conn := o.index(a.export) >= 0, o.b.conn
	supported, _ := o.b.objects[o.path][advMgr1]["SupportedInstances"].Value().(byte)
	full := len(o.b.adverts[o.path]) >= int(supported)
	o.b.mu.Unlock()
	switch {
	case registered:
		return bluezFailure(bluezErrors + "AlreadyExists")
	case full: // src/advertising.c, register_advertisement
		return bluezFailure(bluezErrors + "NotPermitted")
	}
	if conn == nil || askOn(conn, a.export, properties+".GetAll", advertisement1).Store(&a.properties) != nil {
		return bluezFailure(bluezErrors + "Failed")
	}
	o.b.mu.Lock()
	o.b.adverts[o.path] = append(o.b.adverts[o.path], a)
	active := byte(len(o.b.adverts[o.path]))
	o.b.mu.Unlock()
	o.b.Set(o.path, advMgr1, "ActiveInstances", active)
	return nil
}

func (o object) unregisterAdvertisement(path dbus.ObjectPath, sender dbus.Sender) *dbus.Error {
	if err := o.b.begin("UnregisterAdvertisement"); err != nil {
		return err
	}
	o.b.mu.Lock()
	i := o.index(export{string(sender), path})
	if i >= 0 {
		o.b.adverts[o.path] = slices.Delete(o.b.adverts[o.path], i, i+1)
	}
	active := byte(len(o.b.adverts[o.path]))
	o.b.mu.Unlock()
	if i < 0 {
		return bluezFailure(bluezErrors + "DoesNotExist")
	}
	o.b.Set(o.path, advMgr1, "ActiveInstances", active)
	return nil
}

// index returns the place of an advertisement, -1 if it is not registered. o.b.mu must be
// held.
func (o object) index(e export) int {
	return slices.IndexFunc(o.b.adverts[o.path], func(a advert) bool { return a.export == e })
}
