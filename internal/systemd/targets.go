package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// systemd on the bus (org.freedesktop.systemd1(5)).
const (
	managerName      = "org.freedesktop.systemd1"
	managerPath      = "/org/freedesktop/systemd1"
	managerInterface = managerName + ".Manager"
	noSuchUnit       = managerName + ".NoSuchUnit"
)

const (
	jobTimeout = 10 * time.Second // for an answer to one job
	endTimeout = 2 * time.Second  // for the last jobs
	maxJobs    = 64               // that wait; more are replaced by what is so now
)

// retryJobs is how long to wait after a failure. A variable only so that a test can shorten
// it.
var retryJobs = 10 * time.Second

// targets are the states that makers' units can hang on, by the names of their targets.
// What a target means is a property of the Snapshots so far, and nothing else.
var targets = []struct {
	name string
	on   func(m mood, s *gateway.Snapshot) bool
}{
	{"wifiprovd-connected.target", func(_ mood, s *gateway.Snapshot) bool {
		return s.Status == gateway.Connected && s.Addresses.Bound()
	}},
	{"wifiprovd-failed.target", func(m mood, _ *gateway.Snapshot) bool { return m.failed }},
	{"wifiprovd-open.target", func(_ mood, s *gateway.Snapshot) bool { return s.Open }},
	{"wifiprovd-erased.target", func(m mood, _ *gateway.Snapshot) bool { return m.erased }},
	{"wifiprovd-identify.target", func(_ mood, s *gateway.Snapshot) bool { return s.Identify }},
}

// mood is what a Snapshot alone does not tell.
type mood struct {
	failed bool // the last attempt has, and no phone has asked for another one since
	erased bool // and nothing was stored since
}

func (m *mood) follow(before, now *gateway.Snapshot) {
	switch {
	case now.Turn == before.Turn:
	case now.Status == gateway.Failed:
		m.failed = true
	case now.Status == gateway.Connected, now.Status == gateway.Idle, now.Owner.Known():
		m.failed = false
	}
	erased := now.Phase == gateway.Resting && before.Phase == gateway.Erasing
	m.erased = now.Status == gateway.Idle && (m.erased || erased)
}

// job is a target to start or to stop.
type job struct {
	target string
	start  bool
}

// Targets is an Observer that has systemd start and stop the targets of the states, in the
// order in which these come and go, while Run runs. Whatever a maker does about a state is a
// unit that the target wants: nothing of it runs in the daemon.
type Targets struct {
	log  *slog.Logger
	bus  string        // the message bus; empty: the system bus
	wake chan struct{} // holds one if something is pending

	mu      sync.Mutex
	mood    mood
	now     []bool // which targets are to be active
	pending []job
	told    string // the trouble that was logged last
}

// NewTargets returns Targets that use the message bus at address, empty for the system bus.
func NewTargets(log *slog.Logger, address string) *Targets {
	t := &Targets{log: log, bus: address, wake: make(chan struct{}, 1), now: make([]bool, len(targets))}
	t.pending = t.all() // those of an earlier run end
	return t
}

// all returns the jobs that bring every target to what it is to be.
func (t *Targets) all() []job {
	jobs := make([]job, len(targets))
	for i, target := range targets {
		jobs[i] = job{target.name, t.now[i]}
	}
	return jobs
}

// Changed implements gateway.Observer.
func (t *Targets) Changed(before, now *gateway.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mood.follow(before, now)
	for i, target := range targets {
		if on := target.on(t.mood, now); on != t.now[i] {
			t.now[i] = on
			t.pending = append(t.pending, job{target.name, on})
		}
	}
	switch {
	case len(t.pending) == 0:
		return
	case len(t.pending) > maxJobs: // systemd has not answered for long
		t.pending = t.all()
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run has the jobs done until ctx ends, and then stops the targets. systemd that does not
// answer is worth a warning, and is asked again.
func (t *Targets) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			t.stopAll(ctx)
			return nil
		case <-t.wake:
		}
		if err := t.do(ctx, t.take()); err != nil && ctx.Err() == nil {
			t.complain(err)
			select {
			case <-ctx.Done():
			case <-time.After(retryJobs):
				t.again()
			}
		}
	}
}

func (t *Targets) take() []job {
	t.mu.Lock()
	defer t.mu.Unlock()
	jobs := t.pending
	t.pending = nil
	return jobs
}

// again has everything done anew.
func (t *Targets) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = t.all()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *Targets) stopAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	t.mu.Lock()
	var jobs []job
	for i, target := range targets {
		if t.now[i] {
			jobs = append(jobs, job{target.name, false})
		}
	}
	t.mu.Unlock()
	if len(jobs) > 0 {
		_ = t.do(ctx, jobs) // the next start stops them, too
	}
}

// do asks systemd for jobs, without waiting for them. It connects for them alone: states
// change rarely. A target that is not installed, or not active, is no error.
func (t *Targets) do(ctx context.Context, jobs []job) error {
	conn, err := msgbus.Dial(ctx, t.bus)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	manager := msgbus.Program{Conn: conn, Name: managerName, Timeout: jobTimeout}
	for _, j := range jobs {
		method := "StopUnit"
		if j.start {
			method = "StartUnit"
		}
		var queued string // the job's path
		err := manager.Call(ctx, managerPath, managerInterface+"."+method, []any{j.target, "replace"}, &queued)
		if err != nil && !msgbus.IsError(err, noSuchUnit) {
			return fmt.Errorf("%s of %s: %w", method, j.target, msgbus.Plain(err))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told = ""
	return nil
}

// complain tells of each trouble once.
func (t *Targets) complain(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err.Error() != t.told {
		t.told = err.Error()
		t.log.Warn("systemd does not start or stop wifiprovd's targets; trying again every "+retryJobs.String(), "err", err)
	}
}
