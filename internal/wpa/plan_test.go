package wpa

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

const (
	testPassphrase = `a "quoted" \ passphrase`
	rawPSK         = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
)

func credentials(passphrase string, security wifi.Security) wifi.Credentials {
	return wifi.Credentials{SSID: "lab", Passphrase: wifi.NewPassphrase([]byte(passphrase)), Security: security}
}

// What access points offer.
var (
	offerOpen       = bss{ssid: "lab", frequency: 2412}
	offerWEP        = bss{ssid: "lab", frequency: 2412, privacy: true}
	offerWPA1       = bss{ssid: "lab", frequency: 2412, privacy: true, wpa: with("WPA-PSK")}
	offerWPA2       = bss{ssid: "lab", frequency: 2412, privacy: true, rsn: with("WPA-PSK")}
	offerMixed      = bss{ssid: "lab", frequency: 2412, privacy: true, wpa: with("WPA-PSK"), rsn: with("WPA-PSK")}
	offerSHA256     = bss{ssid: "lab", frequency: 2417, privacy: true, rsn: with("WPA-PSK-SHA256")}
	offerWPA3       = bss{ssid: "lab", frequency: 5180, privacy: true, rsn: with("SAE")}
	offerTransition = bss{ssid: "lab", frequency: 2437, privacy: true, rsn: with("WPA-PSK", "SAE")}
	offerEnterprise = bss{ssid: "lab", frequency: 2437, privacy: true, rsn: with("WPA-EAP")}
	offerOWE        = bss{ssid: "lab", frequency: 2437, privacy: true, rsn: with("OWE")}
	offerFT         = bss{ssid: "lab", frequency: 2412, privacy: true, rsn: with("FT-PSK")}
	offerBothFT     = bss{ssid: "lab", frequency: 2412, privacy: true, rsn: with("WPA-PSK", "FT-PSK")}
	offerFTSAE      = bss{ssid: "lab", frequency: 2412, privacy: true, rsn: with("FT-SAE")}
	offerGCMP       = bss{ssid: "lab", frequency: 2412, privacy: true, rsn: element{"GCMP-256", []string{"GCMP-256"}, []string{"WPA-PSK"}}}
)

func with(akms ...string) element { return element{"CCMP", []string{"CCMP"}, akms} }

// What radios can use.
var (
	common = ciphers{[]string{"CCMP", "TKIP", "NONE"}, []string{"CCMP", "TKIP", "WEP104", "WEP40"}}
	modern = ciphers{append(common.pairwise[:2:2], "GCMP", "GCMP-256"), append(common.group[:2:2], "GCMP", "GCMP-256")}
)

type props map[string]any

// propertiesCase is a network, and the properties that it is joined with.
type propertiesCase struct {
	name     string
	security wifi.Security
	password string
	found    []bss
	dev      *device
	hidden   bool
	want     props // without ssid
	sae      wifi.SAERecord
}

func propertiesCases() []propertiesCase {
	able := &device{sae: true, pmf: true, ciphers: common}
	psk, _ := derivePSK(credentials(testPassphrase, wifi.AutoDetect))
	raw, _ := hex.DecodeString(rawPSK)
	sae := []byte(testPassphrase)
	return []propertiesCase{
		{"open", wifi.Open, "", []bss{offerOpen}, able, false,
			props{"key_mgmt": "NONE", "scan_freq": "2412"}, wifi.SAEUntried},
		{"open, by auto-detect", wifi.AutoDetect, "", []bss{offerWPA2, offerOpen}, able, false,
			props{"key_mgmt": "NONE", "scan_freq": "2412"}, wifi.SAEUntried},
		{"WPA2", wifi.WPA2PSK, testPassphrase, []bss{offerWPA2}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2412"}, wifi.SAEUntried},
		{"WPA2, of a transition network", wifi.WPA2PSK, testPassphrase, []bss{offerTransition}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2437"}, wifi.SAEUntried},
		{"WPA2, radio cannot protect management frames", wifi.WPA2PSK, testPassphrase, []bss{offerWPA2}, &device{sae: true, ciphers: common}, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(0), "scan_freq": "2412"}, wifi.SAEUntried},
		{"WPA2, raw PSK", wifi.WPA2PSK, rawPSK, []bss{offerWPA2}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": raw, "ieee80211w": int32(1), "scan_freq": "2412"}, wifi.SAEUntried},
		{"WPA2-SHA256, hidden", wifi.WPA2PSKSHA256, testPassphrase, []bss{offerSHA256}, able, true,
			props{"key_mgmt": "WPA-PSK-SHA256", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2417", "scan_ssid": int32(1)}, wifi.SAEUntried},
		{"WPA3", wifi.WPA3SAE, testPassphrase, []bss{offerWPA3}, able, false,
			props{"key_mgmt": "SAE", "proto": "RSN", "sae_password": sae, "ieee80211w": int32(2), "scan_freq": "5180"}, wifi.SAEUntried},
		{"transition", wifi.WPAAutoPersonal, testPassphrase, []bss{offerTransition, offerWPA3, offerTransition}, able, false,
			props{"key_mgmt": "SAE WPA-PSK WPA-PSK-SHA256", "proto": "RSN", "psk": psk, "sae_password": sae, "ieee80211w": int32(1), "scan_freq": "2437 5180"}, wifi.SAEUntried},
		{"transition, radio without WPA3", wifi.WPAAutoPersonal, testPassphrase, []bss{offerTransition}, &device{pmf: true, ciphers: common}, false,
			props{"key_mgmt": "WPA-PSK WPA-PSK-SHA256", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2437"}, wifi.SAEUntried},
		{"auto-detect WPA2", wifi.AutoDetect, testPassphrase, []bss{offerOpen, offerMixed}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2412"}, wifi.SAEUntried},
		{"auto-detect WPA3", wifi.AutoDetect, testPassphrase, []bss{offerWPA3}, able, false,
			props{"key_mgmt": "SAE", "proto": "RSN", "sae_password": sae, "ieee80211w": int32(2), "scan_freq": "5180"}, wifi.SAEUntried},
		{"auto-detect transition", wifi.AutoDetect, testPassphrase, []bss{offerTransition}, able, false,
			props{"key_mgmt": "SAE WPA-PSK", "proto": "RSN", "psk": psk, "sae_password": sae, "ieee80211w": int32(1), "scan_freq": "2437"}, wifi.SAEUntried},
		{"auto-detect transition, raw PSK", wifi.AutoDetect, rawPSK, []bss{offerTransition}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": raw, "ieee80211w": int32(1), "scan_freq": "2437"}, wifi.SAEUntried},
		{"transition, WPA3 is known to fail", wifi.AutoDetect, testPassphrase, []bss{offerTransition}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2437"}, wifi.SAEFailed},
		{"transition, WPA3 has worked", wifi.AutoDetect, testPassphrase, []bss{offerTransition}, able, false,
			props{"key_mgmt": "SAE WPA-PSK", "proto": "RSN", "psk": psk, "sae_password": sae, "ieee80211w": int32(1), "scan_freq": "2437"}, wifi.SAEWorked},
		{"WPA3 alone, though it is known to fail", wifi.AutoDetect, testPassphrase, []bss{offerWPA3}, able, false,
			props{"key_mgmt": "SAE", "proto": "RSN", "sae_password": sae, "ieee80211w": int32(2), "scan_freq": "5180"}, wifi.SAEFailed},
		{"fast transition", wifi.WPA2PSK, testPassphrase, []bss{offerFT}, able, false,
			props{"key_mgmt": "FT-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2412"}, wifi.SAEUntried},
		{"fast transition beside none", wifi.AutoDetect, testPassphrase, []bss{offerBothFT}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2412"}, wifi.SAEUntried},
		{"fast transition, WPA3", wifi.AutoDetect, testPassphrase, []bss{offerFTSAE}, able, false,
			props{"key_mgmt": "FT-SAE", "proto": "RSN", "sae_password": sae, "ieee80211w": int32(2), "scan_freq": "2412"}, wifi.SAEUntried},
		{"GCMP-256", wifi.WPA2PSK, testPassphrase, []bss{offerGCMP}, &device{sae: true, pmf: true, ciphers: modern}, false,
			props{"key_mgmt": "WPA-PSK", "proto": "RSN", "psk": psk, "ieee80211w": int32(1), "scan_freq": "2412", "pairwise": "CCMP GCMP-256 TKIP", "group": "CCMP GCMP-256 TKIP"}, wifi.SAEUntried},
		{"auto-detect the first WPA", wifi.AutoDetect, testPassphrase, []bss{offerWPA1}, able, false,
			props{"key_mgmt": "WPA-PSK", "proto": "WPA", "psk": psk, "ieee80211w": int32(0), "scan_freq": "2412"}, wifi.SAEUntried},
	}
}

func TestProperties(t *testing.T) {
	for _, test := range propertiesCases() {
		t.Run(test.name, func(t *testing.T) {
			cred := credentials(test.password, test.security)
			plan, fitting, err := choose(cred, test.found, test.dev, test.sae, test.hidden)
			if err != nil || len(fitting) == 0 {
				t.Fatal(fitting, err)
			}
			psk, err := derivePSK(cred)
			if err != nil {
				t.Fatal(err)
			}
			got := plan.properties(cred, psk)
			want := map[string]dbus.Variant{"ssid": dbus.MakeVariant([]byte("lab"))}
			for name, value := range test.want {
				want[name] = dbus.MakeVariant(value)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestNotOffered(t *testing.T) {
	able := &device{sae: true, pmf: true, ciphers: common}
	for _, test := range []struct {
		security wifi.Security
		password string
		found    bss
		dev      *device
		failure  wifi.Failure
		detail   string // a part of it
	}{
		{wifi.Open, "", offerWPA2, able, wifi.FailureSecurityNotOffered, "asked for security open, the access point offers WPA2/WPA-PSK"},
		{wifi.Open, "", offerWEP, able, wifi.FailureSecurityNotOffered, "WEP"},
		{wifi.WPA2PSK, testPassphrase, offerWPA3, able, wifi.FailureSecurityNotOffered, "offers WPA2/SAE"},
		{wifi.WPA2PSK, testPassphrase, offerWPA1, able, wifi.FailureSecurityNotOffered, "offers WPA1/WPA-PSK"},
		{wifi.WPA2PSKSHA256, testPassphrase, offerWPA2, able, wifi.FailureSecurityNotOffered, "wpa2-sha256"},
		{wifi.WPA3SAE, testPassphrase, offerWPA2, able, wifi.FailureSecurityNotOffered, "wpa3"},
		{wifi.WPA3SAE, testPassphrase, offerWPA3, &device{ciphers: common}, wifi.FailureSecurityNotOffered, "this radio or its driver cannot do WPA3"},
		{wifi.WPAAutoPersonal, testPassphrase, offerOpen, able, wifi.FailureSecurityNotOffered, "no encryption"},
		{wifi.AutoDetect, testPassphrase, offerOpen, able, wifi.FailureSecurityNotOffered, "the network is open"},
		{wifi.AutoDetect, testPassphrase, offerEnterprise, able, wifi.FailureSecurityNotOffered, "WPA2/WPA-EAP"},
		{wifi.AutoDetect, testPassphrase, offerOWE, able, wifi.FailureSecurityNotOffered, "WPA2/OWE"},
		{wifi.AutoDetect, testPassphrase, offerWEP, able, wifi.FailureSecurityNotOffered, "WEP"},
		{wifi.AutoDetect, rawPSK, offerWPA3, able, wifi.FailureSecurityNotOffered, "a raw PSK cannot be used with WPA3"},
		{wifi.WPA2PSK, testPassphrase, offerGCMP, able, wifi.FailureSecurityNotOffered, "offers WPA2/WPA-PSK (GCMP-256); this radio or its driver lacks the ciphers: pairwise GCMP-256"},
		{wifi.AutoDetect, "", offerWPA2, able, wifi.FailureWrongPassword, "needs a password"},
	} {
		t.Run(fmt.Sprintf("%s, %s", test.security, test.found), func(t *testing.T) {
			_, _, err := choose(credentials(test.password, test.security), []bss{test.found}, test.dev, wifi.SAEUntried, false)
			if wifi.FailureOf(err) != test.failure || !strings.Contains(fmt.Sprint(err), test.detail) {
				t.Errorf("got %v, want %v: %s", err, test.failure, test.detail)
			}
		})
	}
}

// The test vectors of IEEE 802.11-2020, J.4.2.
func TestDerivePSK(t *testing.T) {
	for _, test := range []struct{ ssid, passphrase, psk string }{
		{"IEEE", "password", "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"},
		{"ThisIsASSID", "ThisIsAPassword", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"},
		{strings.Repeat("Z", 32), strings.Repeat("a", 32), "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"},
	} {
		psk, err := derivePSK(wifi.Credentials{SSID: wifi.SSID(test.ssid), Passphrase: wifi.NewPassphrase([]byte(test.passphrase))})
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := hex.DecodeString(test.psk); !bytes.Equal(psk, want) {
			t.Errorf("%s: got %x", test.ssid, psk)
		}
	}
}
