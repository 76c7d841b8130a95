//go:build lab

package lab

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// usage is what the daemon's process holds.
type usage struct {
	pid                     string
	goroutines, descriptors int
	heap, resident          int // bytes in use after a garbage collection, KiB
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d bytes in use, %d KiB resident", u.goroutines, u.descriptors, u.heap, u.resident)
}

// mayGrow is how much more of its heap the daemon may use after faults or attacks than before, in
// bytes; mayGrowResident is the same for its resident memory, in KiB: Go returns unused memory to the
// system with a delay.
const (
	mayGrow         = 256 << 10
	mayGrowResident = 4 << 10
)

// pid returns the daemon's process ID.
func (g *gateway) pid() string {
	g.t.Helper()
	return mainPID(g.t, unit)
}

// mainPID returns the process ID of a service; 0: it does not run.
func mainPID(t testing.TB, service string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "systemctl", "show", "--property=MainPID", "--value", service))
}

// runsAnew waits until a service runs in another process than last, with isReady until it is ready
// there, and returns the process ID.
func runsAnew(t testing.TB, service, last string, isReady bool) (pid string) {
	t.Helper()
	waitFor(t, service+" runs anew", patience, func() (err error) {
		if pid = mainPID(t, service); pid == "0" || pid == last {
			return fmt.Errorf("main process %s, the last one was %s", pid, last)
		}
		if isReady {
			_, err = try("systemctl", "is-active", service)
		}
		return err
	})
	return pid
}

// usage asks the daemon what it holds (SIGUSR1), and the kernel.
func (g *gateway) usage() usage {
	g.t.Helper()
	g.from = g.journal.mark(g.t, "usage")
	systemctl(g.t, "kill", "--signal=USR1", unit)
	e := g.event("runtime")
	u := usage{pid: g.pid()}
	var err error
	number := func(text string) int {
		n, parseErr := strconv.Atoi(text)
		if parseErr != nil {
			err = parseErr
		}
		return n
	}
	u.goroutines, u.heap = number(e["WIFIPROVD_GOROUTINES"]), number(e["WIFIPROVD_HEAP"])
	files, readErr := os.ReadDir("/proc/" + u.pid + "/fd")
	if readErr != nil {
		g.t.Fatal(readErr)
	}
	u.descriptors = len(files)
	status, readErr := os.ReadFile("/proc/" + u.pid + "/status")
	if readErr != nil {
		g.t.Fatal(readErr)
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			u.resident = number(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(string(value)), "kB")))
		}
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return u
}

// grown checks that the daemon's process holds no more than before.
func (g *gateway) grown(before usage) {
	g.t.Helper()
	if before.pid == "" {
		return
	}
	var after usage
	waitFor(g.t, "as little in use as before", patience, func() error {
		after = g.usage()
		if after.goroutines > before.goroutines || after.descriptors > before.descriptors || after.heap > before.heap+mayGrow ||
			after.resident > before.resident+mayGrowResident || after.pid != before.pid {
			return fmt.Errorf("process %s: %v; before, process %s: %v", after.pid, after, before.pid, before)
		}
		return nil
	})
	g.t.Logf("before: %v; after: %v", before, after)
}
