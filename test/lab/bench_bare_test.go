//go:build lab

package lab

import (
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// What a bare join knows before it begins.
type bareKnowledge int

const (
	bareCold    bareKnowledge = iota // nothing
	bareFresh                        // the results of a scan that has just ended
	bareChannel                      // the channel (scan_freq)
)

// bareTimed joins a network with wpa_supplicant alone, on an interface that it has just taken over,
// and returns the time from AddNetwork to the signal that the state is completed.
func bareTimed(b *testing.B, ap AP, known bareKnowledge) time.Duration {
	start(b, situation{aps: []AP{ap}, country: bothBands, stopped: true})
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	const service = "fi.w1.wpa_supplicant1"
	if err := conn.AddMatchSignal(dbus.WithMatchSender(service)); err != nil {
		b.Fatal(err)
	}
	signals := make(chan *dbus.Signal, 1000)
	conn.Signal(signals)
	var path, network dbus.ObjectPath
	args := map[string]dbus.Variant{"Ifname": dbus.MakeVariant(wlan)}
	if err := conn.Object(service, "/fi/w1/wpa_supplicant1").Call(service+".CreateInterface", 0, args).Store(&path); err != nil {
		b.Fatal(err)
	}
	iface := conn.Object(service, path)
	props := bareNetwork(ap)
	switch known {
	case bareFresh:
		if err := iface.Call(service+".Interface.Scan", 0, map[string]dbus.Variant{"Type": dbus.MakeVariant("active")}).Err; err != nil {
			b.Fatal(err)
		}
		awaitSignal(b, signals, func(s *dbus.Signal) bool { return s.Name == service+".Interface.ScanDone" })
	case bareChannel:
		delete(props, "scan_ssid")
		props["scan_freq"] = dbus.MakeVariant("2437")
	}
	begin := time.Now()
	if err := iface.Call(service+".Interface.AddNetwork", 0, props).Store(&network); err != nil {
		b.Fatal(err)
	}
	if err := iface.Call(service+".Interface.SelectNetwork", 0, network).Err; err != nil {
		b.Fatal(err)
	}
	awaitSignal(b, signals, func(s *dbus.Signal) bool {
		if s.Path != path || len(s.Body) < 2 {
			return false
		}
		changed, _ := s.Body[1].(map[string]dbus.Variant)
		return changed["State"].Value() == "completed"
	})
	return time.Since(begin)
}

func awaitSignal(b *testing.B, signals <-chan *dbus.Signal, match func(*dbus.Signal) bool) {
	b.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-signals:
			if match(s) {
				return
			}
		case <-timeout:
			b.Fatal("the signal did not come")
		}
	}
}
