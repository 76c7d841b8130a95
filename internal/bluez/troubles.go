package bluez

import (
	"log/slog"
	"time"
)

// notRunning is the trouble that others come from: when bluetoothd is back, its
// adapters can do nothing for a moment.
const notRunning = "bluetoothd is not running; waiting for it"

// settleTime is how long a trouble may turn into another one before it is told. When
// bluetoothd ends, it releases the advertisements and removes the adapter first, and
// when it is back the adapter comes last: one reason for all of that is enough.
const settleTime = time.Second

// troubles tells once why nothing is on the air: the handler while something is to be
// advertised, else the journal.
type troubles struct {
	handler Handler
	log     *slog.Logger
	wanted  bool            // something is to be advertised
	latest  string          // not told yet; empty: none
	told    map[string]bool // since all was well
	settle  alarm           // tells latest
}

// want says whether something is to be advertised.
func (t *troubles) want(on bool) {
	if on && !t.wanted {
		t.forget() // the handler has not heard of them
	}
	t.wanted = on
}

// report notes why nothing is on the air.
func (t *troubles) report(problem string) {
	if t.told[problem] {
		t.latest = ""
		return
	}
	if t.latest == notRunning && problem != notRunning {
		t.tell()
	}
	t.latest = problem
	if !t.settle.set() {
		t.settle.start(settleTime, t.tell)
	}
}

func (t *troubles) tell() {
	t.settle.stop()
	if t.latest == "" {
		return
	}
	t.told[t.latest] = true
	if t.wanted {
		t.handler.OffAir(t.latest)
	} else {
		t.log.Warn("Bluetooth is not ready: " + t.latest)
	}
	t.latest = ""
}

// over notes that all is well on adapter. A trouble that was too short to be told is
// told now, unless it followed from one that was.
func (t *troubles) over(adapter string) {
	if len(t.told) > 0 {
		t.latest = ""
	}
	t.tell()
	if len(t.told) > 0 && !t.wanted {
		t.log.Info("Bluetooth is ready again", "adapter", adapter)
	}
	t.forget()
}

// forget makes every trouble worth telling again.
func (t *troubles) forget() {
	clear(t.told)
	t.latest = ""
}
