package central

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/protocomm"
)

// Session is a connection to one gateway.
type Session struct {
	central *Central
	device  dbus.ObjectPath
	lost    chan struct{}
}

// Connect connects to the gateway at address, which must have been heard (Scan) or be bonded, and
// waits until BlueZ has resolved its services.
func (c *Central) Connect(ctx context.Context, address string) (*Session, error) {
	device, err := c.device(address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	s := &Session{central: c, device: device, lost: make(chan struct{})}
	for try := 1; ; try++ {
		if err = s.establish(ctx); !errors.Is(err, ErrNotConnected) || try == connectTries {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	// BlueZ sets ServicesResolved before it announces the services' objects.
	if err := c.refresh(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if _, err := s.characteristic(StatusUUID); err != nil && !s.takesCode() {
		return nil, fmt.Errorf("connect: it does not offer Wi-Fi provisioning: %w", err)
	}
	go func() {
		defer close(s.lost)
		_ = c.objects.wait(context.Background(), "", func() (bool, error) { return !s.connected(), nil })
	}()
	return s, nil
}

// establish connects and waits until the services are resolved. A new connection may be lost at
// once: by radio, or because two of BlueZ's own attempts collided.
func (s *Session) establish(ctx context.Context) error {
	c := s.central
	if err := c.connect(ctx, s.device); err != nil {
		return err
	}
	return c.objects.wait(ctx, "look up the gateway's services", func() (bool, error) {
		if !s.connected() {
			return false, ErrNotConnected
		}
		return property[bool](c.objects, s.device, deviceIface, "ServicesResolved"), nil
	})
}

// connect connects to device unless it is connected already, as it is after Pair. BlueZ does not
// always announce the connection that it was asked for: if the kernel reports the ATT channel
// before the link, there is no signal (BlueZ 5.66, src/device.c, att_connect_cb and
// device_add_connection).
func (c *Central) connect(ctx context.Context, device dbus.ObjectPath) error {
	if err := c.refresh(ctx); err != nil {
		return err
	}
	if get[bool](c.objects, device, deviceIface, "Connected") {
		return nil
	}
	if err := c.bluez(connectTimeout).Call(ctx, device, deviceIface+".Connect", nil); err != nil {
		return fromBlueZ(err)
	}
	return c.refresh(ctx)
}

// connected reports whether the gateway is connected. The lock must be held.
func (s *Session) connected() bool {
	return property[bool](s.central.objects, s.device, deviceIface, "Connected")
}

// Lost returns a channel that is closed when the connection has ended.
func (s *Session) Lost() <-chan struct{} { return s.lost }

// Disconnect ends the connection and waits for its end.
func (s *Session) Disconnect(ctx context.Context) error {
	return s.central.disconnect(ctx, s.device)
}

// Write writes value with response: nil means that the gateway has accepted it. BlueZ sends a
// value that does not fit into the MTU as a long write. The gateway's refusal is an ATTError.
func (s *Session) Write(ctx context.Context, uuid string, value []byte) error {
	return s.WriteAt(ctx, uuid, value, 0)
}

// WriteAt is Write at an offset. BlueZ sends it as a long write.
func (s *Session) WriteAt(ctx context.Context, uuid string, value []byte, offset uint16) error {
	characteristic, err := s.characteristic(uuid)
	if err != nil {
		return err
	}
	options := map[string]dbus.Variant{"type": dbus.MakeVariant("request")}
	if offset > 0 {
		options["offset"] = dbus.MakeVariant(offset)
	}
	if value == nil {
		value = []byte{}
	}
	err = s.central.bluez(gattTimeout).Call(ctx, characteristic, characteristicIface+".WriteValue",
		[]any{value, options})
	return s.wrap("write", uuid, err)
}

// Read reads a characteristic. The gateway's refusal is an ATTError.
func (s *Session) Read(ctx context.Context, uuid string) ([]byte, error) {
	characteristic, err := s.characteristic(uuid)
	if err != nil {
		return nil, err
	}
	var value []byte
	err = s.central.bluez(gattTimeout).Call(ctx, characteristic, characteristicIface+".ReadValue",
		[]any{map[string]dbus.Variant{}}, &value)
	return value, s.wrap("read", uuid, err)
}

// Watch subscribes to a characteristic and returns its values, in order. The channel is closed
// when ctx ends, when the connection is lost, or when 256 values wait to be received. BlueZ
// announces what was read in the same way as what was notified, so a Read meanwhile gives its
// value here, too.
func (s *Session) Watch(ctx context.Context, uuid string) (<-chan []byte, error) {
	characteristic, err := s.characteristic(uuid)
	if err != nil {
		return nil, err
	}
	c := s.central
	var w *watcher
	c.objects.update(func() { w = c.objects.watch(characteristic) })
	unwatch := func() { c.objects.update(func() { c.objects.drop(w) }) }
	err = c.bluez(gattTimeout).Call(ctx, characteristic, characteristicIface+".StartNotify", nil)
	if err != nil {
		unwatch()
		return nil, s.wrap("subscribe to", uuid, err)
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-s.lost:
		}
		unwatch()
		if ctx.Err() != nil {
			_ = c.bluez(localTimeout).Call(context.WithoutCancel(ctx), characteristic,
				characteristicIface+".StopNotify", nil)
		}
	}()
	return w.values, nil
}

func (s *Session) wrap(what, uuid string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, characteristicName(uuid), fromBlueZ(err))
}

// Attribute is a service or a characteristic of the gateway.
type Attribute struct {
	UUID   string
	Handle uint16 // of its declaration
}

// Attributes returns the gateway's services and characteristics, lowest handle first. The handle
// is the number in the name of BlueZ's object.
func (s *Session) Attributes() ([]Attribute, error) {
	o := s.central.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	var attributes []Attribute
	for p, ifaces := range o.ifaces {
		for _, iface := range []string{serviceIface, characteristicIface} {
			if ifaces[iface] == nil || !strings.HasPrefix(string(p), string(s.device)+"/") {
				continue
			}
			digits := p[max(0, len(p)-4):] // .../service000a, .../char000b
			handle, err := strconv.ParseUint(string(digits), 16, 16)
			if err != nil {
				return nil, fmt.Errorf("the name of BlueZ's object has no handle: %s", p)
			}
			attributes = append(attributes, Attribute{property[string](o, p, iface, "UUID"), uint16(handle)})
		}
	}
	slices.SortFunc(attributes, func(a, b Attribute) int { return int(a.Handle) - int(b.Handle) })
	return attributes, nil
}

// takesCode reports whether the gateway speaks Espressif's protocol.
func (s *Session) takesCode() bool {
	_, err := s.characteristic(protocomm.Session.UUID())
	return err == nil
}

// characteristic returns the object of the gateway's characteristic.
func (s *Session) characteristic(uuid string) (dbus.ObjectPath, error) {
	o := s.central.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return "", o.err
	case !s.connected():
		return "", ErrNotConnected
	}
	for p, ifaces := range o.ifaces {
		if ifaces[characteristicIface] != nil && strings.HasPrefix(string(p), string(s.device)+"/") &&
			property[string](o, p, characteristicIface, "UUID") == uuid {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: %w", characteristicName(uuid), ErrNoCharacteristic)
}
