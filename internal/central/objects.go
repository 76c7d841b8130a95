package central

import (
	"context"
	"sync"

	"github.com/godbus/dbus/v5"
)

// maxUnread bounds the notifications that nobody has fetched yet.
const maxUnread = 256

// objects is what BlueZ says there is, kept up to date by its signals. Every
// wait of this package is a wait for it to hold something.
type objects struct {
	refreshing sync.Mutex // held by the one who refreshes

	mu       sync.Mutex
	ifaces   map[dbus.ObjectPath]interfaces
	changed  chan struct{} // closed at the next change
	err      error         // why there will be no more changes
	watchers map[*watcher]struct{}
	hold     bool           // keep signals in held
	held     []*dbus.Signal // to be applied after the answer that is awaited
}

// watcher receives the values of one characteristic in their order.
type watcher struct {
	path   dbus.ObjectPath
	values chan []byte
}

func newObjects() *objects {
	return &objects{
		ifaces:   map[dbus.ObjectPath]interfaces{},
		changed:  make(chan struct{}),
		watchers: map[*watcher]struct{}{},
	}
}

// wait returns nil as soon as ready does, the error that ready gives, or why no
// more changes come. ready is called with o.mu held.
func (o *objects) wait(ctx context.Context, what string, ready func() (bool, error)) error {
	for {
		o.mu.Lock()
		ok, err := ready()
		if err == nil && !ok {
			err = o.err
		}
		changed := o.changed
		o.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return timedOut(ctx, what)
		}
	}
}

// update changes o with the lock held and wakes whoever waits.
func (o *objects) update(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
	close(o.changed)
	o.changed = make(chan struct{})
}

// end makes every wait and watch fail with err. Like all that follows, it is
// called with the lock held.
func (o *objects) end(err error) {
	if o.err == nil {
		o.err = err
	}
	for w := range o.watchers {
		o.drop(w)
	}
}

// add merges interfaces of one object.
func (o *objects) add(path dbus.ObjectPath, added interfaces) {
	if o.ifaces[path] == nil {
		o.ifaces[path] = interfaces{}
	}
	for name, properties := range added {
		o.ifaces[path][name] = properties
	}
}

// remove forgets interfaces of one object and ends the watches of it.
func (o *objects) remove(path dbus.ObjectPath, names []string) {
	for _, name := range names {
		delete(o.ifaces[path], name)
	}
	if len(o.ifaces[path]) > 0 {
		return
	}
	delete(o.ifaces, path)
	for w := range o.watchers {
		if w.path == path {
			o.drop(w)
		}
	}
}

// set merges changed properties; a changed Value goes to those who watch it.
func (o *objects) set(path dbus.ObjectPath, iface string, changed map[string]dbus.Variant, invalidated []string) {
	properties := o.ifaces[path][iface]
	if properties == nil {
		return
	}
	for name, value := range changed {
		properties[name] = value
	}
	for _, name := range invalidated {
		delete(properties, name)
	}
	value, ok := changed["Value"].Value().([]byte)
	if !ok || iface != characteristicIface {
		return
	}
	for w := range o.watchers {
		if w.path != path {
			continue
		}
		select {
		case w.values <- value:
		default:
			o.drop(w)
		}
	}
}

// watch starts collecting values of the characteristic at path.
func (o *objects) watch(path dbus.ObjectPath) *watcher {
	w := &watcher{path: path, values: make(chan []byte, maxUnread)}
	o.watchers[w] = struct{}{}
	if o.err != nil {
		o.drop(w)
	}
	return w
}

// drop ends w, after the values that have come already.
func (o *objects) drop(w *watcher) {
	if _, ok := o.watchers[w]; ok {
		delete(o.watchers, w)
		close(w.values)
	}
}

// property returns a property, or T's zero value if it is not there or not a T.
func property[T any](o *objects, path dbus.ObjectPath, iface, name string) T {
	value, _ := o.ifaces[path][iface][name].Value().(T)
	return value
}

// get is property for a caller that does not hold the lock.
func get[T any](o *objects, path dbus.ObjectPath, iface, name string) T {
	o.mu.Lock()
	defer o.mu.Unlock()
	return property[T](o, path, iface, name)
}
