package details

import (
	"bytes"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/bluez/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

func TestReasonIsReadAndNotified(t *testing.T) {
	var p Profile
	c := p.Service().Characteristics[0]
	if c.UUID != ReasonUUID || c.Write != nil {
		t.Fatalf("characteristic %+v", c)
	}
	var notified []byte
	c.Notify.Bind(func(v []byte) { notified = append(notified, v...) })
	for _, f := range []wifi.Failure{wifi.FailureWrongPassword, wifi.FailureNone} {
		p.Publish(f)
		if got, err := c.Read(gatt.Request{}); err != nil || !bytes.Equal(got, []byte{byte(f)}) {
			t.Errorf("read %v, %v after %s", got, err, f)
		}
	}
	if !bytes.Equal(notified, []byte{1, 0}) {
		t.Errorf("notified %v", notified)
	}
}
