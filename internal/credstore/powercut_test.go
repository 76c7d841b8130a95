package credstore

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// TestPowerCut runs in a machine whose power is cut (test/lab/powercut.sh): it
// says which save it finds, and then saves without end, saying each. The script
// compares what was found with what was said before. With CREDSTORE_SEALED what is found is sealed
// first, else opened: the script changes it from boot to boot.
func TestPowerCut(t *testing.T) {
	dir := os.Getenv("CREDSTORE_POWERCUT")
	if dir == "" {
		return // not in that machine
	}
	if entries, err := os.ReadDir(dir); err == nil {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), tempPrefix) {
				fmt.Println("powercut: stale file")
			}
		}
	}
	log := &strings.Builder{}
	sealing = sealedBy(t, 1)
	sealing.Want = os.Getenv("CREDSTORE_SEALED") != ""
	s, err := open(dir, sealing, uint32(os.Geteuid()), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	switched := regexp.MustCompile("(?m)^.*event=store-(sealed|opened).*\n")
	told := switched.ReplaceAllString(log.String(), "")
	n := 0
	if got := load(t, s); got.networks != nil {
		if _, err := fmt.Sscan(string(got.networks[0].Credentials.SSID), &n); err != nil || !reflect.DeepEqual(got, numbered(n)) {
			t.Fatalf("the store holds %+v", got)
		}
	}
	if files := names(t, dir); n > 0 && !reflect.DeepEqual(files, []string{fileName}) || told != "" {
		t.Fatalf("files %q, log %s", files, told)
	}
	if lies, err := Look(dir); err != nil || sealing.Want && lies.Clear > 0 || !sealing.Want && lies.Sealed > 0 {
		t.Fatalf("sealing: %v, and the disk has %+v, %v", sealing.Want, lies, err)
	}
	fmt.Println("powercut: found", n)
	for {
		n++
		save(t, s, numbered(n))
		fmt.Println("powercut: saved", n)
	}
}

// numbered are contents of a size that differs from one to the next.
func numbered(n int) contents {
	c := holding(network(1, fmt.Sprint(n), "old password", wifi.WPA2PSK))
	if n%2 == 1 {
		c.networks = append(c.networks, candidate(2, "new", strings.Repeat("long password ", 4), wifi.WPA3SAE))
	}
	return c
}
