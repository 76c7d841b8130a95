package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

const reference = "../../configs/wifiprovd.yaml"

func TestReferenceIsTheDefault(t *testing.T) {
	got, _, err := Load(reference)
	if err != nil {
		t.Fatal(err)
	}
	if got != Default() {
		t.Errorf("got %+v, want %+v", got, Default())
	}
}

func TestReferenceHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var sections map[string]map[string]any
	if err := yaml.Unmarshal(data, &sections); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, ok := sections[k.section][k.name]; !ok {
			t.Errorf("%s.%s is missing", k.section, k.name)
		}
	}
}

// The default of each key is a value that the key takes.
func TestDefaultsAreAllowed(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"comments":      "# nothing\n\n# here\n",
		"null":          "null",
		"null sections": "bluetooth:\nwifi: ~\n",
		"null values":   "bluetooth:\n  adapter:\nwifi:\n  country: null\n",
		"one document":  "---\nlog: {level: info}\n...\n",
		"Windows":       "log:\r\n  level: info\r\n",
	} {
		if got, err := Parse("f", []byte(text)); err != nil || got != Default() {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestEveryKeyIsTaken(t *testing.T) {
	got, err := Parse("f", []byte(`
bluetooth:
  adapter: hci1
  name: Küche "2" 🛜
  security: authenticated
  access: offline
  access_ignores: eth1  wwan0
  window: 2m
  protocols: [improv, native, espressif]
  require_code: true
button:
  key: 529
  device: gpio-keys
  hold: 1s
  erase_after: 15s
led:
  name: ACT
improv:
  url: http://{address}:8123/start?from=improv
  authorize: true
wifi:
  interface: wlx0123456789ab
  backend: networkmanager
  connect_timeout: 1m30s
  address_timeout: 10s
  country: NO
  scan_idle: false
radio:
  unblock: false
store:
  dir: /data//wifiprovd/
log:
  level: debug
`))
	want := Config{
		Bluetooth: Bluetooth{"hci1", `Küche "2" 🛜`, gatt.Authenticated, gateway.AccessOffline, "eth1 wwan0", 2 * time.Minute, Protocols{true, true, true}, "true"},
		Button:    Button{529, "gpio-keys", time.Second, 15 * time.Second},
		LED:       LED{"ACT"},
		Improv:    Improv{"http://{address}:8123/start?from=improv", true},
		Wifi:      Wifi{"wlx0123456789ab", "networkmanager", 90 * time.Second, 10 * time.Second, "NO", false},
		Radio:     Radio{false},
		Store:     Store{"/data/wifiprovd"},
		Log:       Log{slog.LevelDebug},
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestValues(t *testing.T) {
	for key, values := range map[string]struct{ good, bad []string }{
		"bluetooth.adapter": {[]string{"auto", `""`, "hci0", "hci12", "00:1A:7d:DA:71:13"}, []string{"00:1A:7D:DA:71", "00-1A-7D-DA-71-13", "0:1A:7D:DA:71:13", "hci", `"hci0 "`, "/hci0", "hci123456", "eth0", "[hci0]", "Auto"}},
		"bluetooth.name": {[]string{"x", `"Gate #1"`, "'Gate #1'", "Gate # what phones show", "Gate#1", `"` + strings.Repeat("x", 29) + `"`, "5"}, []string{`""`, "", strings.Repeat("x", 30), strings.Repeat("ü", 15), `"a\nb"`, `"\x1b[1m"`, "[a]", "!!binary aGk=",
			`"  "`, `"\u00a0"`, `"a\u202eb"`, `"\u2066a"`, `"a\u200f"`, `"a\u2028b"`}},
		"bluetooth.security": {[]string{"none", "encrypt", "authenticated", `"none"`}, []string{"None", "", "high", "1"}},
		"bluetooth.keep_after_connect": {[]string{"true", "false"},
			[]string{"yes", "True", "1", "", "{a: b}"}},
		"bluetooth.protocols": {[]string{"[native]", "[improv]", "[native, improv]", "[espressif]", "[native, improv, espressif]", "native", `["improv", native]`},
			[]string{"[]", "", "[native, native]", "[zephyr]", "[Native]", "{native: true}", "[[native]]", "[native, '']", "!!set {native}"}},
		"improv.url": {[]string{`""`, "http://{address}/", "https://gateway.example/{address}/a?b=c", `"http://[::1]/"`, "http://{address}:80/" + strings.Repeat("x", 75)},
			[]string{"{address}", "ftp://{address}/", "http://", "http:///x", "javascript:alert(1)", `"http://a b/"`, `"http://a/\u202e"`, "http://a/<b>", "http://{address}:80/" + strings.Repeat("x", 76)}},
		"improv.authorize":         {[]string{"true", "false"}, []string{"yes", "1", ""}},
		"bluetooth.require_code":   {[]string{"auto", "true", "false"}, []string{"", "yes", "Auto", "always"}},
		"bluetooth.access":         {[]string{"always", "offline", "window"}, []string{"", "never", "Always", "true", "[always]"}},
		"bluetooth.access_ignores": {[]string{`""`, "eth1", "eth1 wwan0", `"*"`}, []string{"eth/1", "sixteen-bytes.00", "[eth1]", "a .."}},
		"bluetooth.window":         {[]string{"10s", "5m", "1h"}, []string{"9s", "1h1s", "300", "", "-5m"}},
		"button.key":               {[]string{`""`, "1", "529", "767"}, []string{"0", "768", "-1", "KEY_WPS_BUTTON", "1.5"}},
		"button.device":            {[]string{`""`, "gpio-keys", `"My keyboard, really"`, "/dev/input/event0", "/dev/input/by-path/platform-button@11-event"}, []string{"/dev/sda", "/dev/input/../sda", `"a\x07"`, strings.Repeat("x", 256)}},
		"button.hold":              {[]string{"0s", "1s", "4s"}, []string{"4.1s", "-1s", "1", ""}},
		"button.erase_after":       {[]string{"0s", "5s", "10s", "1m"}, []string{"4s", "61s", "10", "", "never"}},
		"led.name":                 {[]string{`""`, "ACT", "led0", "green:status"}, []string{"../x", "..", "a b", "a/b", `"\x1b"`}},
		"wifi.interface": {[]string{"auto", "wlan0", "wlp3s0", "a", "fifteen-bytes.0"},
			[]string{`""`, "sixteen-bytes.00", "a/b", "wlan 0", "wl:0", "..", "ü", `"\x07"`}},
		"wifi.backend":         {[]string{"auto", "wpa_supplicant", "networkmanager"}, []string{"", "iwd", "Auto"}},
		"wifi.address_timeout": {[]string{"5s", "5m"}, []string{"30", "4.9s", "5m1s", "0", "", "never"}},
		"wifi.connect_timeout": {[]string{"5s", "5m", "300s", "7500ms"}, []string{"30", "4.9s", "5m1s", "-30s", "", "soon", "9999999999h"}},
		"wifi.country":         {[]string{`""`, "DE", "NO"}, []string{"de", "DEU", "D", "00", "Germany"}},
		"wifi.scan_idle":       {[]string{"true", "false"}, []string{"yes", "1", ""}},
		"radio.unblock":        {[]string{"true", "false"}, []string{"no", "0", ""}},
		"store.dir":            {[]string{"/data", "/var/lib/wifiprovd"}, []string{"data", "", "/", "//", "/..", `"/a\nb"`}},
		"log.level":            {[]string{"debug", "info", "warn", "error"}, []string{"INFO", "trace", "", "0"}},
	} {
		section, name, _ := strings.Cut(key, ".")
		for _, v := range values.good {
			if _, err := Parse("f", []byte(section+":\n  "+name+": "+v)); err != nil {
				t.Errorf("%s: %s: %v", key, v, err)
			}
		}
		for _, v := range values.bad {
			_, err := Parse("f", []byte("# comment\n"+section+":\n  "+name+": "+v))
			if err == nil || !strings.HasPrefix(err.Error(), "f:3: "+key+" is ") || !strings.Contains(err.Error(), "; allowed: ") {
				t.Errorf("%s: %q: got %v", key, v, err)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"section":          {"\nblutooth:\n  name: x", `2: unknown key "blutooth"; allowed are bluetooth, button, led, improv, wifi, radio, store, log`},
		"key":              {"wifi:\n  interfaces: wlan0", `2: unknown key "interfaces" in wifi; allowed are interface, backend, connect_timeout, address_timeout, country`},
		"key of another":   {"log:\n  dir: /data", `2: unknown key "dir" in log; allowed are level`},
		"not a section":    {"wifi: wlan0", "1: wifi is not a mapping; allowed are the keys interface, backend, connect_timeout, address_timeout, country"},
		"a list":           {"- a\n- b", "1: the file is not a mapping; allowed are the keys bluetooth, button, led, improv, wifi, radio, store, log"},
		"key twice":        {"log:\n  level: info\n  level: warn", `3: "log.level" is set again; allowed is once, as in line 2`},
		"section twice":    {"log:\n  level: info\nlog:\n  level: warn", `3: "log" is set again; allowed is once, as in line 1`},
		"second document":  {"log:\n  level: info\n---\nlog:\n  level: warn", "3: a second document starts here; allowed is one"},
		"broken second":    {"log:\n  level: info\n---\nlog: [", "4: did not find expected node content; allowed is YAML"},
		"tab":              {"log:\n\tlevel: info", "2: found character that cannot start any token; allowed is YAML"},
		"syntax in line 1": {"log: [", "1: did not find expected node content; allowed is YAML"},
		"alias":            {"log: &a\n  level: info\nwifi: *a", "3: wifi is not a mapping"},
		"merge":            {"log:\n  <<: {level: info}", `2: unknown key "<<" in log`},
		"not UTF-8":        {"log:\n  level: \xff", "2: not a line of text; allowed is UTF-8 without control characters"},
		"zero byte":        {"log:\n\n\x00", "3: not a line of text"},
		"long value":       {"log:\n  level: " + strings.Repeat("x", 1000), `2: log.level is "` + strings.Repeat("x", 60) + `"; allowed: debug, info, warn, error`},
		"too large":        {strings.Repeat("#", MaxSize+1), " larger than 65536 bytes"},
		"old and new":      {"bluetooth:\n  keep_after_connect: true\n  access: always", "2: bluetooth.keep_after_connect has become bluetooth.access; allowed is one of them, and bluetooth.access is set in line 3"},
	} {
		_, err := Parse("/etc/f.yaml", []byte(tt.text))
		if err == nil || !strings.HasPrefix(err.Error(), "/etc/f.yaml:"+tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestFormer: a configuration of an earlier version goes on to do what it did.
func TestFormer(t *testing.T) {
	for value, want := range map[string]Bluetooth{
		"true":  {Access: gateway.AccessAlways},
		"false": {Access: gateway.AccessOffline, AccessIgnores: "*"},
	} {
		c, err := Parse("f", []byte("bluetooth:\n  keep_after_connect: "+value))
		if err != nil || c.Bluetooth.Access != want.Access || c.Bluetooth.AccessIgnores != want.AccessIgnores {
			t.Errorf("%s: %+v, %v", value, c.Bluetooth, err)
		}
		if !strings.Contains(c.Former, "keep_after_connect: "+value+" has become bluetooth.access: "+want.Access.String()) {
			t.Errorf("%s: %q", value, c.Former)
		}
	}
}

func TestLoad(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	if _, _, err := Load(missing); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing: got %v", err)
	}
	dir := t.TempDir()
	if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("folder: got %v", err)
	}
	if got, _, err := Load("/dev/null"); err != nil || got != Default() {
		t.Errorf("empty: got %+v, %v", got, err)
	}
	if _, _, err := Load("/dev/zero"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("endless: got %v", err)
	}
}

// layered returns the main file of a configuration with these drop-ins, by name.
func layered(t *testing.T, text string, dropIns map[string]string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "f.yaml")
	err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Mkdir(path+".d", 0o700))
	for name, text := range dropIns {
		err = errors.Join(err, os.WriteFile(filepath.Join(path+".d", name), []byte(text), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDropIns(t *testing.T) {
	path := layered(t, "bluetooth:\n  name: main\n  adapter: hci1\nlog: {level: debug}\n", map[string]string{
		"10-maker.yaml": "bluetooth:\n  name: maker\n  adapter: hci2\nwifi: {country: NO}\n",
		"9-later.yaml":  "bluetooth:\n  name: later\n", // by name, not by number
		"50-off.yaml":   "bluetooth:\n  adapter: hci3\n",
		"60-empty.yaml": "",
		".hidden.yaml":  "nonsense",
		"README":        "nonsense",
		"70.yaml.bak":   "nonsense",
	})
	if err := errors.Join(os.Remove(path+".d/50-off.yaml"), os.Symlink("/dev/null", path+".d/50-off.yaml")); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Bluetooth.Name, want.Bluetooth.Adapter, want.Wifi.Country, want.Log.Level = "later", "hci2", "NO", slog.LevelDebug
	got, files, err := Load(path)
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if strings.Join(files, " ") != "f.yaml 10-maker.yaml 50-off.yaml 60-empty.yaml 9-later.yaml" {
		t.Errorf("read %v", files)
	}
}

func TestBrokenDropIns(t *testing.T) {
	many := map[string]string{}
	for i := range MaxDropIns + 1 {
		many[fmt.Sprintf("%d.yaml", i)] = ""
	}
	for name, c := range map[string]struct {
		dropIns map[string]string
		want    string // of the error, after the name of the folder
	}{
		"unknown key": {map[string]string{"1.yaml": "log: {level: debug}", "2.yaml": "log:\n  levle: debug"}, `/2.yaml:2: unknown key "levle"`},
		"bad value":   {map[string]string{"1.yaml": "log: {level: loud}"}, "/1.yaml:1: log.level is"},
		"too large":   {map[string]string{"1.yaml": strings.Repeat("#", MaxSize+1)}, "/1.yaml: larger than"},
		"too many":    {many, ": 65 files; allowed are 64"},
	} {
		path := layered(t, "log:\n  level: warn\n", c.dropIns)
		got, _, err := Load(path)
		if err == nil || !strings.HasPrefix(err.Error(), path+".d"+c.want) || got != (Config{}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	path := layered(t, "", nil)
	if err := os.Symlink("nowhere", path+".d/1.yaml"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "1.yaml") {
		t.Errorf("a link to nothing: %v", err)
	}
	if err := errors.Join(os.RemoveAll(path+".d"), os.WriteFile(path+".d", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), path+".d") {
		t.Errorf("a file in place of the folder: %v", err)
	}
}

// FuzzParse: no file crashes the parser, what is accepted is in its limits, and
// an error is one line that begins with the file's name.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(reference)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, text := range []string{
		"", "null", "a: &a [*a]", "log: {level: info}", "log:\n  level: [", "---\n---\n", "? a\n: b", "%YAML 1.1\n---\nlog:",
		"bluetooth:\n  name: \"\\u202e\"\n", "wifi: {connect_timeout: 1h, country: NO}", "store:\n  dir: |\n    /a\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("file", data)
		if err != nil {
			unseen := func(r rune) bool { return !unicode.IsPrint(r) }
			if text := err.Error(); !strings.HasPrefix(text, "file:") || strings.ContainsFunc(text, unseen) || len(text) > 1000 {
				t.Errorf("error %q", text)
			}
			return
		}
		if len(c.Bluetooth.Name) == 0 || len(c.Bluetooth.Name) > 29 || len(c.Wifi.Interface) == 0 || len(c.Wifi.Interface) > 15 ||
			c.Wifi.ConnectTimeout < 5*time.Second || c.Wifi.ConnectTimeout > 5*time.Minute ||
			c.Wifi.AddressTimeout < 5*time.Second || c.Wifi.AddressTimeout > 5*time.Minute || !filepath.IsAbs(c.Store.Dir) {
			t.Errorf("accepted %+v", c)
		}
	})
}

func TestManualHasEveryKey(t *testing.T) {
	data, err := os.ReadFile("../../packaging/man/wifiprovd.yaml.5")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !strings.Contains(string(data), "\n.B "+k.section+"."+k.name+"\n") {
			t.Errorf("%s.%s is missing", k.section, k.name)
		}
	}
}

// TestNameCutByComment: YAML would silently make Gate of Gate #1.
func TestNameCutByComment(t *testing.T) {
	_, err := Parse("f", []byte("bluetooth:\n  name: Gate #1\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "f:2: ") || !strings.Contains(err.Error(), "in quotes") {
		t.Errorf("got %v", err)
	}
	c, err := Parse("f", []byte("bluetooth:\n  name: \"Gate #1\" #2\n"))
	if err != nil || c.Bluetooth.Name != "Gate #1" {
		t.Errorf("quoted: %q, %v", c.Bluetooth.Name, err)
	}
}
