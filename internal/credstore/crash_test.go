package credstore

import (
	"bufio"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

var (
	old    = network(1, "old", "old password", wifi.WPA2PSK)
	added  = candidate(2, "new", "new password", wifi.WPA3SAE)
	before = holding(old)
	after  = holding(old, added)
)

// steps are those of an operation that changes something.
var steps = []string{"read", "create", "write", "sync file", "rename", "sync directory"}

func saveAdded(s *Store) error {
	_, err := s.SaveCandidate(added.Credentials)
	return err
}

// Whichever step fails, what was stored stands, were it nothing.
func TestFailureAtEachStep(t *testing.T) {
	failure := errors.New("input/output error")
	for _, step := range steps {
		for name, held := range map[string]contents{"": before, " of the first": {}} {
			t.Run(step+name, func(t *testing.T) {
				s, _ := openStore(t)
				if held.networks != nil {
					save(t, s, held)
				}
				files, reached := names(t, s.dir), false
				s.before = func(name string) error {
					if name != step {
						return nil
					}
					reached = true
					return failure
				}
				if err := saveAdded(s); !errors.Is(err, failure) {
					t.Errorf("got %v", err)
				}
				if !reached {
					t.Error("the step was not reached")
				}
				s.before = nil
				if got := load(t, s); !reflect.DeepEqual(got, held) {
					t.Errorf("the store holds %+v", got)
				}
				if got := names(t, s.dir); !reflect.DeepEqual(got, files) {
					t.Errorf("files: %q, before %q", got, files)
				}
			})
		}
	}
}

// TestCannotPutBack: the directory cannot be synced, and after that nothing written. The
// error says what to expect.
func TestCannotPutBack(t *testing.T) {
	s, _ := openStore(t)
	save(t, s, before)
	failure, fails := errors.New("input/output error"), false
	s.before = func(name string) error {
		if fails = fails || name == "sync directory"; fails {
			return failure
		}
		return nil
	}
	if err := saveAdded(s); err == nil || !strings.Contains(err.Error(), "cannot be put back") {
		t.Errorf("got %v", err)
	}
	s.before = nil
	if got := load(t, s); !reflect.DeepEqual(got, after) {
		t.Errorf("the store holds %+v", got)
	}
}

func TestCrashAtEachStep(t *testing.T) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			want := before
			if step == "sync directory" { // the file has its name already
				want = after
			}
			s, _ := openStore(t)
			save(t, s, before)
			s.before = func(name string) error {
				if name == step {
					panic("crash") // nothing of the operation runs after it
				}
				return nil
			}
			func() {
				defer func() { _ = recover() }()
				_ = saveAdded(s)
				t.Error("no crash")
			}()
			again, log := openStore(t, s.dir)
			if got := load(t, again); !reflect.DeepEqual(got, want) {
				t.Errorf("the store holds %+v", got)
			}
			if got := names(t, s.dir); !reflect.DeepEqual(got, []string{fileName}) {
				t.Errorf("files: %q", got)
			}
			if log.Len() > 0 {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestKilled kills a process that saves in a loop, again and again: the store
// is always the old or the new one.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for round := range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSaver$")
		cmd.Env = append(os.Environ(), "CREDSTORE_SAVER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(10) {
			if !lines.Scan() {
				t.Fatal("the saver ended by itself")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed

		s, log := openStore(t, dir)
		got := load(t, s)
		if !reflect.DeepEqual(got, before) && !reflect.DeepEqual(got, after) {
			t.Errorf("round %d: the store holds %+v", round, got)
		}
		if files := names(t, dir); !reflect.DeepEqual(files, []string{fileName}) {
			t.Errorf("round %d: files %q", round, files)
		}
		if log.Len() > 0 {
			t.Errorf("round %d: log %s", round, log)
		}
	}
}

// TestSaver is the process that TestKilled kills.
func TestSaver(t *testing.T) {
	dir := os.Getenv("CREDSTORE_SAVER")
	if dir == "" {
		return
	}
	if os.Getenv("CREDSTORE_SEALED") != "" {
		sealing = sealedBy(t, 1)
	}
	s, err := open(dir, sealing, uint32(os.Geteuid()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for {
		save(t, s, before)
		save(t, s, after)
		if _, err := os.Stdout.WriteString("saved\n"); err != nil {
			return // the parent is gone
		}
	}
}
