package fsm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTranscripts plays testdata/*.txt. A line that begins with > is what happens; what
// is below it, up to the next one, is what the machine does and shows, which go test
// -update writes. Lines that begin with # are comments.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d transcripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, file, play(t, string(text)))
		})
	}
}

// play returns the transcript with the outputs that the machine has now.
func play(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	s := State{Address: Address{Timeout: 30 * time.Second}}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			out.WriteString(line)
		}
		command, ok := strings.CutPrefix(line, "> ")
		if !ok {
			continue
		}
		out.WriteString(line)
		if name, ok := strings.CutPrefix(strings.TrimSpace(command), "access: "); ok {
			access, err := gateway.ParseAccess(name)
			if err != nil {
				t.Fatal(err)
			}
			s.Door.Access = access
			continue
		}
		event, err := parseEvent(s, strings.TrimSpace(command))
		if err != nil {
			t.Fatal(err)
		}
		next, actions := Step(s, event)
		out.WriteString(difference(s, next, actions))
		s = next
	}
	return out.String()
}

// difference writes what a step did: the actions, what is shown, and where it led.
func difference(before, after State, actions []Action) string {
	var out strings.Builder
	for _, a := range actions {
		fmt.Fprintf(&out, "  %s %v\n", strings.TrimPrefix(fmt.Sprintf("%T", a), "fsm."), a)
	}
	switch shown := after.Shown; {
	case shown.Turn != before.Shown.Turn:
		fmt.Fprintf(&out, "  %s (%s): %s; next: %s\n", shown.Status, shown.Reason, shown.Message, shown.Next)
	case shown != before.Shown:
		fmt.Fprintf(&out, "  still %s (%s): %s; next: %s\n", shown.Status, shown.Reason, shown.Message, shown.Next)
	}
	if after.Door.Advertising != before.Door.Advertising {
		fmt.Fprintf(&out, "  advertising: %v\n", after.Door.Advertising)
	}
	if after.Door.Stage != before.Door.Stage {
		fmt.Fprintf(&out, "  window: %s\n", after.Door.Stage)
	}
	fmt.Fprintf(&out, "  = %s\n", after.Attempt.Phase)
	return out.String()
}

// parseEvent returns the event of a line. The outcome of a slow action and a timer are
// the latest ones, unless the line begins with "late".
func parseEvent(s State, line string) (Event, error) {
	line, late := strings.CutPrefix(line, "late ")
	word, rest, _ := strings.Cut(line, " ")
	number := s.Attempt.Number
	timers := map[string]TimerFired{
		"retry":       {RetryTimer, s.Attempt.Timer.ID},
		"advertising": {AdvertisingTimer, s.Door.Timer.ID},
		"window":      {WindowTimer, s.Door.WindowTimer.ID},
		"address":     {AddressTimer, s.Address.Timer.ID},
	}
	if !late {
		return parseWord(word, rest, number, timers)
	}
	for kind, fired := range timers {
		fired.ID--
		timers[kind] = fired
	}
	return parseWord(word, rest, number-1, timers)
}

func parseWord(word, rest string, number uint64, timers map[string]TimerFired) (Event, error) {
	switch word {
	case "started":
		return parseStarted(rest)
	case "connect":
		who, invalid, _ := strings.Cut(rest, " ")
		return ConnectRequested{By: requester(who), Invalid: invalid}, nil
	case "erase":
		return EraseRequested{By: requester(rest)}, nil
	case "saved":
		id, err := strconv.ParseUint(rest, 10, 32)
		return Saved{Attempt: number, ID: wifi.ID(id)}, err
	case "ended":
		return parseEnded(number, rest)
	case "lost":
		return LinkLost{Detail: rest}, nil
	case "wifi":
		return WifiAvailable{}, nil
	case "bound":
		return AddressBound{}, nil
	case "unbound":
		return AddressLost{}, nil
	case "open":
		d, err := time.ParseDuration(rest)
		return WindowOpened{For: d}, err
	case "close":
		return WindowClosed{}, nil
	case "elsewhere":
		return OnlineElsewhere{}, nil
	case "nowhere":
		return OfflineElsewhere{}, nil
	case "phones":
		return PhoneCame{}, nil
	case "no-phones":
		return PhonesLeft{}, nil
	case "timer":
		if fired, ok := timers[rest]; ok {
			return fired, nil
		}
	}
	return nil, fmt.Errorf("there is no event %q %q", word, rest)
}

func parseStarted(rest string) (Event, error) {
	if problem, ok := strings.CutPrefix(rest, "problem "); ok {
		return Started{Problem: problem}, nil
	}
	var e Started
	for word := range strings.FieldsSeq(rest) {
		name, value, _ := strings.Cut(word, "=")
		id, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return nil, err
		}
		if name == "proven" {
			e.Stored.Proven = wifi.ID(id)
		} else {
			e.Stored.Candidate = wifi.ID(id)
		}
	}
	return e, nil
}

func parseEnded(number uint64, reason string) (Event, error) {
	if reason == "" {
		return Ended{Attempt: number}, nil
	}
	for f := wifi.FailureWrongPassword; f <= wifi.FailureInternal; f++ {
		if f.String() == reason {
			return Ended{Attempt: number, Failure: f, Detail: "detail"}, nil
		}
	}
	return nil, fmt.Errorf("there is no failure %q", reason)
}

func requester(name string) gateway.Requester {
	switch name {
	case "operator":
		return gateway.Operator()
	case "nobody":
		return gateway.Requester{}
	}
	return gateway.Phone(gatt.Central(name))
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if the change is meant, run go test -update and read the difference\ngot:\n%s", path, got)
	}
}

func TestPause(t *testing.T) {
	for tries, want := range map[int]string{1: "10s", 2: "20s", 3: "40s", 6: "5m0s", 1 << 30: "5m0s"} {
		if got := Pause(tries).String(); got != want {
			t.Errorf("Pause(%d) = %s, want %s", tries, got, want)
		}
	}
}
