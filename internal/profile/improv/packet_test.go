package improv

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The example of the specification: 01 1E 0C MyWirelessAP 10 mysecurepassword, and the checksum.
func TestExample(t *testing.T) {
	p := "\x01\x1e\x0cMyWirelessAP\x10mysecurepassword"
	p += string([]byte{checksum([]byte(p))})
	c := newClient(t)
	c.ok(phone, p)
	c.asked(`connect ` + phone + ` "MyWirelessAP" auto "mysecurepassword"`)
}

// A command may come in any pieces, and between those of another phone.
func TestPieces(t *testing.T) {
	for _, size := range []int{1, 2, 19, 20} {
		c := newClient(t)
		p := wifiPacket(ssid, secret)
		c.ok(phone2, "\x01\x1e\x0cMy")
		for len(p) > 0 {
			n := min(size, len(p))
			c.ok(phone, p[:n])
			p = p[n:]
		}
		c.asked(askedHome)
		c.told("state 03")
	}
}

// What is no packet is told once it cannot become one, and the next command is not touched.
func TestInvalidPackets(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, p := range []string{
		"\x02\x00\x03", "\x02\x00\x02\x00", long, long[:258],
		packet(CommandWifi, ""), packet(CommandWifi, "\x01"), packet(CommandWifi, "\x01a"),
		packet(CommandWifi, "\x01a\x01"), packet(CommandWifi, "\x01a\x01bc"), packet(CommandWifi, "\xffa\x01b"),
		packet(CommandWifi, "\x00\x08password"), wifiPacket(long[:33], secret), wifiPacket(ssid, long[:65]),
		packet(CommandDevice, "x"), packet(CommandScan, "x"), packet(CommandIdentify, "\x00"),
	} {
		c := newClient(t)
		c.ok(phone, p)
		c.told("error 01")
		c.asked()
		c.ok(phone, wifiPacket(ssid, secret))
		c.told("error 00", "state 03")
		c.asked(askedHome)
	}
}

// The rest of a command that never came is forgotten: with the phone, and in time.
func TestUnfinishedCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		p := wifiPacket(ssid, secret)
		c.ok(phone, p[:20])
		var kept *call
		c.profile.calls.Look(phone, func(k *call) { kept = k })
		c.profile.Gone(phone)
		if !bytes.Equal(kept.packet[:], make([]byte, maxPacket)) {
			t.Error("what a phone that has gone had written is still in memory")
		}
		c.ok(phone, p)
		c.told("state 03")
		c.fails(wifi.FailureNotFound)
		c.told("error 03", "state 02")
		c.ok(phone, p[:20])
		time.Sleep(pieceTimeout + 1)
		c.ok(phone, p)
		c.told("error 00", "state 03")
		c.ok(phone, p[:20])
		c.profile.calls.Look(phone, func(k *call) { kept = k })
		time.Sleep(callTimeout)
		synctest.Wait()
		if !bytes.Equal(kept.packet[:], make([]byte, maxPacket)) {
			t.Error("what was written long ago is still in memory")
		}
	})
}

// A command that was carried out leaves no password behind.
func TestCommandIsWiped(t *testing.T) {
	c := newClient(t)
	c.ok(phone, wifiPacket(ssid, secret))
	c.profile.calls.Look(phone, func(k *call) {
		if bytes.Contains(k.packet[:], []byte("horse")) {
			t.Error("the password is still in memory")
		}
	})
	if strings.Contains(c.log.String(), "horse") {
		t.Error("the password is logged")
	}
}

// FuzzCommand: whatever is written, in whatever pieces, nothing but a whole Wi-Fi command has the
// gateway join anything, a result is a packet that clients can read, and another phone can
// provision afterwards.
func FuzzCommand(f *testing.F) {
	for _, p := range []string{
		"", "\x01", "\x01\xff", wifiPacket(ssid, secret), wifiPacket("", ""), packet(CommandIdentify, ""),
		packet(CommandDevice, ""), packet(CommandScan, ""), packet(CommandHostname, "\x06garage"),
		packet(CommandDeviceName, "x"), strings.Repeat("\xff", 512),
	} {
		f.Add([]byte(p), uint8(20))
	}
	f.Fuzz(func(t *testing.T, packet []byte, size uint8) {
		synctest.Test(t, func(t *testing.T) { fuzzCommand(t, packet, max(1, int(size))) })
	})
}

func fuzzCommand(t *testing.T, packet []byte, size int) {
	c := newClient(t)
	for rest := packet; len(rest) > 0; {
		n := min(size, len(rest))
		if err := c.write(phone, string(rest[:n])); err != nil {
			t.Fatalf("%x: %v", packet, err)
		}
		rest = rest[n:]
	}
	synctest.Wait()
	command, data, whole := decode(packet)
	name, password, isWifi := decodeWifi(data)
	if isWifi = isWifi && whole && command == CommandWifi; isWifi && size >= len(packet) &&
		(len(c.control.taken) != 1 || c.control.taken[0].SSID != name || string(c.control.taken[0].Passphrase.Bytes()) != string(password)) {
		t.Errorf("%x: asked for %q", packet, c.control.asked)
	}
	if result := c.read(phone, ResultUUID); len(result) > 0 {
		checkResult(t, result)
	}
	c.profile.Gone(phone)
	c.fails(wifi.FailureNotFound) // whatever runs
	c.control.asked = nil
	c.ok(phone2, wifiPacket(ssid, secret))
	c.asked(`connect ` + phone2 + ` "home" auto "` + secret + `"`)
	time.Sleep(time.Minute) // a scan that was started ends
}

// checkResult reads a result as clients do.
func checkResult(t *testing.T, packet []byte) {
	t.Helper()
	_, data, ok := decode(packet)
	if !ok || len(packet) > gatt.MaxValue {
		t.Fatalf("%x is no packet", packet)
	}
	for len(data) > 0 {
		var s []byte
		if s, data, ok = cutString(data); !ok || len(s) > maxString {
			t.Fatalf("%x: a string is cut or too long", packet)
		}
	}
}

// FuzzResult: whatever networks are called, the result of a scan is whole triplets that fit.
func FuzzResult(f *testing.F) {
	f.Add("home", -40, uint8(3), uint16(0))
	f.Add("\xff", 300, uint8(0), uint16(64))
	f.Add(strings.Repeat("x", 32), -300, uint8(1), uint16(100))
	f.Fuzz(func(t *testing.T, name string, signal int, security uint8, limit uint16) {
		name = name[:min(len(name), wifi.MaxSSIDLen)]
		var found []wifi.Offer
		for i := range 20 {
			found = append(found, wifi.Offer{
				SSID: wifi.SSID(name), SignalDBm: signal - i, Security: wifi.Security(security), Joinable: true,
			})
		}
		packet := encodeScan(found, min(int(limit), maxPacket))
		checkResult(t, packet)
		if len(packet) > max(3, min(int(limit), maxPacket)) {
			t.Errorf("%d bytes, allowed are %d", len(packet), limit)
		}
		_, data, _ := decode(packet)
		for len(data) > 0 {
			ssid, rest, _ := cutString(data)
			_, rest, ok1 := cutString(rest)
			_, rest, ok2 := cutString(rest)
			if !ok1 || !ok2 || string(ssid) != name || !utf8.Valid(ssid) {
				t.Fatalf("%x", packet)
			}
			data = rest
		}
	})
}
