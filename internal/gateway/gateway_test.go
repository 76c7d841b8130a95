package gateway

import "testing"

func TestRequester(t *testing.T) {
	for _, c := range []struct {
		r    Requester
		want string
	}{
		{Requester{}, "nobody"},
		{Phone(""), "nobody"}, // a GATT call without a device
		{Phone("AA:BB:CC:DD:EE:FF"), "AA:BB:CC:DD:EE:FF"},
		{Operator(), "operator"},
	} {
		if got := c.r.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if got := c.r.Known(); got != (c.want != "nobody") {
			t.Errorf("%s: known %v", c.want, got)
		}
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[Status]string{Idle: "IDLE", Failed: "FAILED", 5: "unknown (5)"} {
		if got := s.String(); got != want {
			t.Errorf("status %d is called %s", s, got)
		}
	}
	for c, want := range map[Code]string{CodeUnknown: "", CodeNone: "none", CodeSet: "set", CodeUnreadable: "unreadable", 9: "unknown (9)"} {
		if got := c.String(); got != want {
			t.Errorf("code %d is called %s", c, got)
		}
	}
	for p, want := range map[Phase]string{Starting: "starting", Erasing: "erasing", 9: "unknown (9)"} {
		if got := p.String(); got != want {
			t.Errorf("phase %d is called %s", p, got)
		}
	}
}
