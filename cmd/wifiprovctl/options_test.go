package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args string
		want options
	}{
		{"scan", options{timeout: 5 * time.Second}},
		{"scan --adapter hci1 --timeout 30s", options{adapter: "hci1", timeout: 30 * time.Second}},
		{"watch", options{}},
		{"open --for 2m", options{timeout: 10 * time.Second, localOptions: localOptions{window: 2 * time.Minute}}},
		{"erase --address aa:bb:cc:dd:ee:ff --forget", options{timeout: time.Minute, address: "AA:BB:CC:DD:EE:FF", forget: true}},
		{"provision --ssid x", options{timeout: 5 * time.Minute, ssid: "x", security: wifi.AutoDetect}},
		{"provision -ssid=x -security wpa3 --no-pairing", options{timeout: 5 * time.Minute, ssid: "x", security: wifi.WPA3SAE, noPairing: true}},
		{"provision --ssid x --security transition --password-file f --passkey-file p",
			options{timeout: 5 * time.Minute, ssid: "x", security: wifi.WPAAutoPersonal, passwordFile: "f", passkeyFile: "p"}},
	} {
		command, got, err := parse(strings.Fields(test.args))
		if err != nil || got != test.want || command.name != strings.Fields(test.args)[0] {
			t.Errorf("%s: %+v, %v, want %+v", test.args, got, err, test.want)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	for _, test := range []struct{ args, say string }{
		{"", "no command"},
		{"connect", `no command "connect"`},
		{"open --for 9s", "--for is 10s to 1h"},
		{"open --for 61m", "--for is 10s to 1h"},
		{"open --for 10.5s", "whole seconds"},
		{"provision --ssid " + strings.Repeat("x", 33), "33 bytes"},
		{"provision --ssid x --security wep", "unknown security type"},
		{"provision --ssid x --password hunter22", "-password"},
		{"provision --ssid x --security open --password-file f", "open network"},
		{"provision --ssid x --no-pairing --passkey-file f", "--passkey-file"},
		{"provision --ssid x --no-pairing --forget --address 00:11:22:33:44:55", "exclude"},
		{"provision --ssid x --forget", "--address"},
		{"provision --ssid x --address nonsense", "--address"},
		{"provision --ssid x --address 00:11:22:33:44:55:66:77", "--address"},
		{"provision --ssid x --timeout -1s", "negative"},
		{"provision --ssid x hunter22", "options only"},
		{"scan --ssid x", "-ssid"},
	} {
		_, _, err := parse(strings.Fields(test.args))
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: %v, want a usage error with %q", test.args, err, test.say)
		}
		if err != nil && strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: what may be a password is repeated: %v", test.args, err)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"help", "--help", "-h", "version", "scan --help", "provision --help", "watch -h", "erase --help"} {
		_, _, err := parse(strings.Fields(args))
		var help *helpRequest
		if !errors.As(err, &help) || help.text == "" {
			t.Errorf("%s: %v", args, err)
		}
	}
	for _, c := range commands {
		if !strings.Contains(usage(), c.name) {
			t.Errorf("the help does not name %s", c.name)
		}
	}
}
