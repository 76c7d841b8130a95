package credstore

import (
	"errors"
	"log/slog"
)

// memory holds the contents while the disk cannot: a gateway whose disk is broken can
// still be provisioned, until its next start. Each change tries the disk again.
type memory struct {
	log      *slog.Logger
	contents contents // with secrets of its own
	changed  bool     // contents are newer than what is on the disk, or in its place
	unread   bool     // what is on the disk could not be read the last time
	told     string   // the last problem that the journal has; empty: the disk is well
}

// load returns what counts of a file that was read, or why that failed.
func (m *memory) load(f snapshot, err error) (snapshot, error) {
	m.unread = err != nil
	switch {
	case errors.Is(err, ErrNewer):
		return f, err
	case err == nil && !m.changed:
		m.over()
		return f, nil
	case err != nil:
		m.tell(err)
	}
	f.contents.wipe()
	f.contents = m.contents.deepClone()
	return f, nil
}

// save takes over what could not be written because of err; nil: it was.
func (m *memory) save(c contents, err error) {
	own := contents{}
	if err != nil {
		m.told = "" // each change that is lost at the next start is told
		m.tell(err)
	}
	keep := err != nil || m.unread
	if keep {
		own = c.deepClone()
	} else {
		m.over()
	}
	m.contents.wipe()
	m.contents, m.changed = own, keep
}

func (m *memory) tell(err error) {
	if m.told == err.Error() {
		return
	}
	m.told = err.Error()
	m.log.Error("the store cannot be used: what phones provision is kept in memory, and lost at the next start", "event", "store-unusable", "err", err)
}

func (m *memory) over() {
	if m.told != "" {
		m.told = ""
		m.log.Info("the store can be used again", "event", "store-usable")
	}
}

// deepClone returns contents that share nothing with c.
func (c contents) deepClone() contents {
	c = c.clone()
	for i, n := range c.networks {
		c.networks[i].Credentials = n.Credentials.Clone()
	}
	return c
}
