package dbustest

import "testing"

func TestStart(t *testing.T) {
	address := Start(t)
	a, b := Connect(t, address), Connect(t, address)
	if a.Names()[0] == b.Names()[0] {
		t.Fatalf("two connections are both %s", a.Names()[0])
	}
	other := Connect(t, Start(t))
	var names []string
	if err := other.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 { // the bus and other
		t.Errorf("on a bus of its own: %q", names)
	}
}
