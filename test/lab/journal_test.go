//go:build lab

package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	systemdjournal "github.com/coreos/go-systemd/v22/journal"

	"github.com/wifiprovd/wifiprovd/internal/central"
)

// entry is one entry of the journal, by field name (systemd.journal-fields(7)).
type entry map[string]string

// has reports whether the entry has each match: FIELD=value, FIELD= for any value, or FIELD~text
// for one that contains text. MESSAGE is matched only for the name of a thing, such as a program:
// its wording may change.
func (e entry) has(matches []string) bool {
	for _, match := range matches {
		i := strings.IndexAny(match, "=~")
		got, ok := e[match[:i]]
		value := match[i+1:]
		switch {
		case !ok,
			match[i] == '=' && value != "" && got != value,
			match[i] == '~' && !strings.Contains(got, value):
			return false
		}
	}
	return true
}

// event returns matches for the event of a name (docs/operations.md), and more.
func event(name string, more ...string) []string {
	return append([]string{"WIFIPROVD_EVENT=" + name}, more...)
}

// showing returns matches for the entry that shows a status.
func showing(status central.Status, more ...string) []string {
	name := "status"
	if status == central.StatusFailed {
		name = "failed"
	}
	return event(name, append([]string{"WIFIPROVD_STATUS=" + status.String()}, more...)...)
}

// showsStatus reports whether the entry shows a status, whichever it is. The event reason has the
// field, too, for the status that stays.
func (e entry) showsStatus() bool {
	return e["WIFIPROVD_EVENT"] == "status" || e["WIFIPROVD_EVENT"] == "failed"
}

// String returns the entry's time, message, and the daemon's own fields.
func (e entry) String() string {
	var fields []string
	for name, value := range e {
		if strings.HasPrefix(name, "WIFIPROVD_") {
			fields = append(fields, fmt.Sprintf("%s=%q", name, value))
		}
	}
	sort.Strings(fields)
	return fmt.Sprintf("%s %s: %s  %s", e.when().Format("15:04:05.000"), e["SYSLOG_IDENTIFIER"], e["MESSAGE"], strings.Join(fields, " "))
}

func (e entry) when() time.Time {
	var micros int64
	_, _ = fmt.Sscan(e["__REALTIME_TIMESTAMP"], &micros)
	return time.UnixMicro(micros)
}

// sinceBoot returns how long after the kernel's start the entry was logged.
func (e entry) sinceBoot() time.Duration {
	var micros int64
	_, _ = fmt.Sscan(e["__MONOTONIC_TIMESTAMP"], &micros)
	return time.Duration(micros) * time.Microsecond
}

// journal follows what the daemon has logged since the machine's boot, what systemd logs about it,
// and the tests' own marks.
type journal struct {
	mu      sync.Mutex
	entries []entry
}

var followed = sync.OnceValues(follow)

func follow() (*journal, error) {
	cmd := exec.Command("journalctl", "--boot", "--follow", "--lines=all", "--output=json", "--all",
		"_SYSTEMD_UNIT=wifiprovd.service", "+", "_SYSTEMD_UNIT="+radioUnit, "+", "UNIT=wifiprovd.service", "+", "SYSLOG_IDENTIFIER=lab")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("follow the journal: %w", err)
	}
	j := &journal{}
	go func() {
		lines := bufio.NewReaderSize(out, 1<<20)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var fields map[string]any
			if json.Unmarshal(line, &fields) != nil {
				continue
			}
			e := entry{}
			for name, value := range fields {
				e[name] = fieldText(value)
			}
			j.mu.Lock()
			j.entries = append(j.entries, e)
			j.mu.Unlock()
		}
	}()
	return j, nil
}

// fieldText returns a field as journalctl's JSON has it: a string, an array of
// numbers where it is not printable, or null where it is too large.
func fieldText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		b := make([]byte, 0, len(v))
		for _, n := range v {
			if f, ok := n.(float64); ok {
				b = append(b, byte(f))
			}
		}
		return string(b)
	}
	return ""
}

// find returns the first entry from an index on that has the matches, and its index; -1: none.
func (j *journal) find(from int, matches []string) (entry, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := from; i < len(j.entries); i++ {
		if j.entries[i].has(matches) {
			return j.entries[i], i
		}
	}
	return nil, -1
}

// all returns the entries from an index on that have the matches.
func (j *journal) all(from int, matches []string) (found []entry) {
	for _, e := range j.since(from) {
		if e.has(matches) {
			found = append(found, e)
		}
	}
	return found
}

// since returns the entries from an index on.
func (j *journal) since(from int) []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]entry(nil), j.entries[from:]...)
}

// mark writes a line into the journal and returns the index behind it: what is found from there on
// was logged later.
func (j *journal) mark(t testing.TB, line string) int {
	t.Helper()
	id := fmt.Sprintf("%s %d", line, time.Now().UnixNano())
	from := 0
	waitFor(t, "mark in the journal", patience, func() error {
		// Again and again: journalctl may not follow yet.
		if err := systemdjournal.Send(id, systemdjournal.PriInfo, map[string]string{"SYSLOG_IDENTIFIER": "lab"}); err != nil {
			return err
		}
		_, i := j.find(from, []string{"MESSAGE=" + id})
		if i < 0 {
			return fmt.Errorf("%q is not in it", id)
		}
		from = i + 1
		return nil
	})
	return from
}

// journalText returns the journal of these units from a time on, for a person to read.
func journalText(since time.Time, units ...string) string {
	args := []string{"--boot", "--output=short-precise", "--no-hostname", "--quiet", "--since=" + journalTime(since)}
	for _, unit := range units {
		args = append(args, "--unit="+unit)
	}
	out, err := try("journalctl", args...)
	if err != nil {
		return err.Error()
	}
	return out
}

// journalTime returns a time as journalctl's --since takes it.
func journalTime(t time.Time) string { return fmt.Sprintf("@%d.%06d", t.Unix(), t.Nanosecond()/1000) }
