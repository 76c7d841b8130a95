package bluez

import "time"

// notRunning is the trouble that others come from: when bluetoothd is back, its
// adapters can do nothing for a moment.
const notRunning = "bluetoothd is not running; waiting for it"

// settleTime is how long a trouble may grow before it is told. When bluetoothd
// ends, it releases the advertisement and takes away the adapter first, and when
// it is back the adapter comes last: one reason for all of them is enough.
const settleTime = time.Second

// troubles is why the service is not on the air.
type troubles struct {
	latest string          // not told yet; empty: none
	told   map[string]bool // since the service was last on the air
	timer  *time.Timer     // tells latest
}

// trouble says, once for each reason, why the service is not on the air.
func (p *Peripheral) trouble(why string) {
	t := &p.troubles
	if t.told[why] {
		t.latest = ""
		return
	}
	if t.latest == notRunning && why != notRunning {
		p.tellTrouble()
	}
	t.latest = why
	if t.timer == nil {
		t.timer = time.AfterFunc(settleTime, func() { p.inbox.post(p.tellTrouble) })
	}
}

func (p *Peripheral) tellTrouble() {
	t := &p.troubles
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if t.latest == "" {
		return
	}
	if t.told == nil {
		t.told = map[string]bool{}
	}
	t.told[t.latest] = true
	if p.registration.wanted && p.cfg.AdvertisingDown != nil {
		p.cfg.AdvertisingDown(t.latest)
	} else {
		p.log.Warn("Bluetooth is not ready: " + t.latest)
	}
	t.latest = ""
}

// ready says that trouble is over, and what it was if that has not been told.
func (p *Peripheral) ready() {
	if len(p.troubles.told) > 0 {
		p.troubles.latest = ""
	}
	p.tellTrouble()
	if len(p.troubles.told) > 0 && !p.registration.wanted {
		p.log.Info("Bluetooth is ready again", "adapter", adapterName(p.adapter))
	}
	p.forgetTroubles()
}

// forgetTroubles makes every trouble worth telling again.
func (p *Peripheral) forgetTroubles() {
	clear(p.troubles.told)
	p.troubles.latest = ""
}
