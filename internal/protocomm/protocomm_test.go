package protocomm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
)

type vector struct{ Name, Hex string }

func (v vector) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors returns what Espressif's own client sent and accepted, by run, in order.
func vectors(t testing.TB) map[string][]vector {
	t.Helper()
	data, err := os.ReadFile("../srp/testdata/protocomm-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string][]vector{}
	if err := json.Unmarshal(data, &runs); err != nil {
		t.Fatal(err)
	}
	return runs
}

func value(t testing.TB, run []vector, name string) []byte {
	t.Helper()
	for _, v := range run {
		if v.Name == name {
			return v.bytes(t)
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is %x, want %x", what, got, want)
	}
}

func TestUUIDs(t *testing.T) {
	for e, want := range map[Endpoint]string{
		Control: "021aff4f-0382-4aea-bff4-6b3f1c5adfb4", Version: "021aff53-0382-4aea-bff4-6b3f1c5adfb4", "none": "",
	} {
		if got := e.UUID(); got != want {
			t.Errorf("%s: %s", e, got)
		}
	}
}

// Every message of a handshake with Security 2 is, byte for byte, what the other side took.
func TestHandshakeVectors(t *testing.T) {
	run := vectors(t)["sec2_patch1_esp_prov_v5.5"]
	var air [][]byte
	for _, v := range run {
		if strings.HasSuffix(v.Name, ".prov-session") {
			air = append(air, v.bytes(t))
		}
	}
	get := func(name string) []byte { return value(t, run, "sec2."+name) }
	for i, want := range []Handshake{
		{Step: Hello, User: get("username"), Public: get("A")},
		{Step: HelloAnswer, Public: get("B"), Salt: get("salt")},
		{Step: Proof, Proof: get("M1_client")},
		{Step: ProofAnswer, Proof: get("M2"), Nonce: get("nonce")},
	} {
		equal(t, "the message", want.Encode(), air[i])
		got, err := ParseHandshake(air[i])
		if err != nil || !bytes.Equal(got.Encode(), air[i]) {
			t.Errorf("step %d: %+v, %v", i, got, err)
		}
	}
}

// Other securities are no handshake; nor is one whose part is missing.
func TestHandshakeRefused(t *testing.T) {
	runs := vectors(t)
	for name, b := range map[string][]byte{
		"nothing": nil, "Security 0": value(t, runs["sec0"], "write.prov-session"),
		"Security 1": value(t, runs["sec1_esp_prov_v5.5"], "write.prov-session"),
		"no payload": {0x10, 2}, "no part": {0x10, 2, 0x62, 2, 8, 2}, "another part": {0x10, 2, 0x62, 5, 8, 2, 0xa2, 1, 0},
		"a step too far": {0x10, 2, 0x62, 5, 8, 4, 0xc2, 1, 0}, "a number for bytes": {0x10, 2, 0x60, 1},
		"long": make([]byte, MaxMessage+1), "cut": {0x10, 2, 0x62, 9},
	} {
		if h, err := ParseHandshake(b); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// The cipher of both sides, and every message within a session, are those of the vectors.
func TestSessionVectors(t *testing.T) {
	ran := 0
	for name, run := range vectors(t) {
		if !strings.HasPrefix(name, "sec2_") || name == "sec2_wrong_password" || name == "sec2_patch0_esp_prov_v5.5" {
			continue
		}
		ran++
		key, nonce := value(t, run, "sec2.K"), value(t, run, "sec2.nonce")
		device, err := NewCipher(key, nonce)
		if err != nil {
			t.Fatal(err)
		}
		client, _ := NewCipher(key, nonce)
		var sealed []byte
		var plain []byte
		for _, v := range run {
			b := v.bytes(t)
			switch kind, endpoint, _ := strings.Cut(v.Name, "."); {
			case endpoint == "proto-ver" || endpoint == "prov-session" || kind == "sec2":
			case kind == "write":
				sealed = b
			case kind == "plain" && strings.HasSuffix(endpoint, ".in"):
				turn, _ := client.Take()
				equal(t, name+": the request", client.Seal(turn, b), sealed)
				got, err := device.Open(sealed)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				equal(t, name+": what is opened", got, b)
				if _, err := device.Open(sealed); !errors.Is(err, ErrSealed) {
					t.Errorf("%s: a replay: %v", name, err)
				}
			case kind == "plain":
				plain = b
			case kind == "read":
				turn, _ := device.Take()
				equal(t, name+": the answer", device.Seal(turn, plain), b)
				if _, err := client.Open(b); err != nil {
					t.Errorf("%s: the client: %v", name, err)
				}
			}
		}
	}
	if ran < 3 {
		t.Errorf("only %d runs", ran)
	}
}

func TestCipherEnds(t *testing.T) {
	c, err := NewCipher(make([]byte, 64), append(make([]byte, 8), 0xff, 0xff, 0xff, 0xff))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Take(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Take(); err == nil {
		t.Error("the counter begins anew")
	}
	c, _ = NewCipher(bytes.Repeat([]byte{1}, 64), NewNonce())
	first, _ := c.Take()
	turn, _ := c.Take()
	c.Return(first) // another one was taken since
	if next, _ := c.Take(); next == first || next == turn {
		t.Errorf("%x is taken twice", next)
	} else if c.Return(next); c.nonce != next {
		t.Error("what was taken last is not given back")
	}
	sealed := c.Seal(turn, []byte("x"))
	c.Wipe()
	if c.key != [32]byte{} {
		t.Error("the key is still there")
	}
	if _, err := c.Open(sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("opened after the end: %v", err)
	}
}

// What the vectors have in clear is what is made here, and what is made of it.
func TestPlainVectors(t *testing.T) {
	connected := Status{IPv4: "192.0.2.42", Auth: AuthWPA2, SSID: []byte("home"), BSSID: []byte{2, 0, 0, 0, 1, 0}, Channel: 6}
	run := vectors(t)["sec2_patch1_esp_prov_v5.5"]
	var in, out [][]byte
	for _, v := range run {
		switch v.Name {
		case "plain.prov-config.in":
			in = append(in, v.bytes(t))
		case "plain.prov-config.out":
			out = append(out, v.bytes(t))
		}
	}
	equal(t, "SetConfig", ConfigRequest{SetConfig, []byte("home"), []byte("correct horse")}.Encode(), in[0])
	equal(t, "its answer", EncodeConfigResult(SetConfig, Success), out[0])
	equal(t, "Apply's answer", EncodeConfigResult(ApplyConfig, Success), out[1])
	equal(t, "GetStatus", ConfigRequest{Command: GetStatus}.Encode(), in[2])
	equal(t, "Connected", connected.Encode(), out[2])
	equal(t, "AuthError", Status{Station: JoinFailed, Reason: AuthError}.Encode(), []byte{8, 1, 0x5a, 4, 0x10, 3, 0x50, 0})
	equal(t, "reset", EncodeControlResult(Reset, Success), []byte{8, 2, 0x62, 0})
	equal(t, "reprov", EncodeControlResult(Reprovision, Success), []byte{8, 4, 0x72, 0})
	equal(t, "ScanStart", ScanRequest{Command: ScanStart}.Encode()[:4], []byte{0x52, 4, 8, 1})
	equal(t, "its answer", EncodeScan(ScanStart, Success, 0), []byte{8, 1, 0x5a, 0})
	equal(t, "ScanStatus's", EncodeScan(ScanStatus, Success, 9), []byte{8, 3, 0x6a, 4, 8, 1, 0x10, 9})
	equal(t, "ScanResult", ScanRequest{ScanResult, 0, 9}.Encode(), []byte{8, 4, 0x72, 2, 0x10, 9})
	for i, want := range []ConfigRequest{{SetConfig, []byte("home"), []byte("correct horse")}, {Command: ApplyConfig}, {Command: GetStatus}} {
		if got, err := ParseConfig(in[i]); err != nil || got.Command != want.Command || !bytes.Equal(got.SSID, want.SSID) || !bytes.Equal(got.Passphrase, want.Passphrase) {
			t.Errorf("%x: %+v, %v", in[i], got, err)
		}
	}
	if got, err := ParseStatus(out[2]); err != nil || got.IPv4 != connected.IPv4 || got.Station != Joined || got.Channel != 6 {
		t.Errorf("%+v, %v", got, err)
	}
	networks, err := ParseNetworks(value(t, vectors(t)["sec2_scan"], "plain.prov-scan.out"))
	if err == nil {
		t.Errorf("the answer to ScanStart has networks: %v", networks)
	}
	if total, finished, err := ParseScanTotal([]byte{8, 3, 0x6a, 4, 8, 1, 0x10, 9}); total != 9 || !finished || err != nil {
		t.Errorf("%d %v %v", total, finished, err)
	}
}

func TestNetworks(t *testing.T) {
	var want []Network
	for i := range 20 {
		want = append(want, Network{SSID: bytes.Repeat([]byte{'a' + byte(i)}, 32), RSSI: -40 - i, Auth: AuthWPA2})
	}
	b := EncodeNetworks(want, MaxMessage-Overhead)
	got, err := ParseNetworks(b)
	if err != nil || len(got) < 8 || len(got) >= len(want) || len(b) > MaxMessage-Overhead {
		t.Fatalf("%d networks in %d bytes, %v", len(got), len(b), err)
	}
	if got[1].RSSI != -41 || !bytes.Equal(got[1].SSID, want[1].SSID) || got[1].Auth != AuthWPA2 {
		t.Errorf("%+v", got[1])
	}
	// As ESP sends it: a negative number has ten bytes.
	if !bytes.Contains(b, binaryRSSI(-41)) {
		t.Errorf("%x", b)
	}
}

func binaryRSSI(dBm int) []byte {
	return builder{}.always(3, math.MaxUint64-uint64(-dBm)+1)
}

// A field may come twice, or be unknown: clients of the future send more.
func TestParseTolerates(t *testing.T) {
	b := append(ConfigRequest{SetConfig, []byte("a"), nil}.Encode(), ConfigRequest{SetConfig, []byte("b"), nil}.Encode()...)
	b = append(b, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4)
	if got, err := ParseConfig(b); err != nil || string(got.SSID) != "b" {
		t.Errorf("%+v %v", got, err)
	}
	for _, b := range [][]byte{{0}, {0x7b}, {0x79, 1}, {8}, {8, 0xff}, {0x62, 2, 0}, {0x62, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		if _, err := ParseConfig(b); err == nil {
			t.Errorf("%x is taken", b)
		}
	}
}

// Whatever comes from the air, from a phone or a gateway, is parsed or refused.
func FuzzParse(f *testing.F) {
	for _, run := range vectors(f) {
		for _, v := range run {
			if strings.HasPrefix(v.Name, "plain.") || strings.Contains(v.Name, "prov-session") {
				f.Add(v.bytes(f))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHandshake(b); err == nil {
			again, err := ParseHandshake(h.Encode())
			if err != nil || !bytes.Equal(again.Encode(), h.Encode()) {
				t.Errorf("%+v is not itself: %v", h, err)
			}
		}
		if r, err := ParseConfig(b); err == nil && r.Command == SetConfig {
			if again, err := ParseConfig(r.Encode()); err != nil || !bytes.Equal(again.SSID, r.SSID) {
				t.Errorf("%+v is not itself: %v", r, err)
			}
		}
		_, _ = ParseScan(b)
		_, _ = ParseControl(b)
		_, _ = ParseStatus(b)
		_, _, _ = ParseScanTotal(b)
		_, _ = ParseNetworks(b)
		_, _ = ParseConfigResult(SetConfig, b)
	})
}
