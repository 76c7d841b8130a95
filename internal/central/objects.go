package central

import (
	"context"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/wifiprovd/wifiprovd/internal/msgbus"
)

// maxUnread bounds the notifications of one watch that nobody has received yet.
const maxUnread = 256

// objects mirrors BlueZ's object tree, kept up to date by signals. Whatever this package waits
// for is a condition on it.
type objects struct {
	refreshing sync.Mutex // one refresh at a time

	mu       sync.Mutex
	ifaces   map[dbus.ObjectPath]interfaces
	changed  chan struct{} // closed at the next change
	err      error         // why there are no more changes
	watchers map[*watcher]struct{}
	hold     bool           // a refresh waits for its answer: signals go to held
	held     []*dbus.Signal // to be applied after that answer
}

// watcher receives the values of one characteristic, in order.
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

// wait returns nil as soon as ready returns true. It gives up with the error that ready returns,
// when no more changes come, or when ctx ends. ready is called with o.mu held.
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

// update calls change with the lock held and wakes every wait.
func (o *objects) update(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
	close(o.changed)
	o.changed = make(chan struct{})
}

// end fails every wait with err and ends every watch. As for all that follow, the lock must be
// held.
func (o *objects) end(err error) {
	if o.err == nil {
		o.err = err
	}
	for w := range o.watchers {
		o.drop(w)
	}
}

// add merges interfaces into the object at path.
func (o *objects) add(path dbus.ObjectPath, added interfaces) {
	if o.ifaces[path] == nil {
		o.ifaces[path] = interfaces{}
	}
	for name, properties := range added {
		o.ifaces[path][name] = properties
	}
}

// remove takes interfaces away from the object at path. With the last one the object goes, and
// the watches of it end.
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

// set merges changed properties. A new Value goes to the watchers; one that does not keep up is
// dropped, so that a gateway that floods cannot fill this machine's memory.
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

// drop ends w. What it has not received yet stays in its channel.
func (o *objects) drop(w *watcher) {
	if _, ok := o.watchers[w]; ok {
		delete(o.watchers, w)
		close(w.values)
	}
}

// property returns a property, or T's zero value if there is none or it is no T. The lock must be
// held.
func property[T any](o *objects, path dbus.ObjectPath, iface, name string) T {
	return msgbus.Value[T](o.ifaces[path][iface], name)
}

// get is property for a caller that does not hold the lock.
func get[T any](o *objects, path dbus.ObjectPath, iface, name string) T {
	o.mu.Lock()
	defer o.mu.Unlock()
	return property[T](o, path, iface, name)
}
