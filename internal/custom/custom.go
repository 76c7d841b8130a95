// Package custom carries a maker's own data between a phone and a program on the gateway: a
// claim token, a broker's address, a user's number. It knows neither how phones send it (each
// phone protocol has its own way) nor how programs get it (internal/control: D-Bus). Data may
// be secret: it is in no error and no log line, and nothing is kept once it is answered.
package custom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

// Bounds of what is exchanged.
const (
	MaxData       = 4096             // bytes each way
	MaxName       = 32               // bytes of a name
	MaxClaims     = 16               // names that are claimed at a time
	AnswerTimeout = 10 * time.Second // until a program has to have answered
)

// What a phone's data may meet, beside gateway.ErrBusy.
var (
	// ErrNoAnswer says that no program has claimed the name, or that it has not answered
	// in time, or has ended before it did.
	ErrNoAnswer = errors.New("nobody answers")

	// ErrInvalid says that a name is none, or that data is longer than MaxData.
	ErrInvalid = fmt.Errorf("a name is 1 to %d bytes of a-z, 0-9, '.', '_' and '-', "+
		"and data at most %d bytes", MaxName, MaxData)
)

// What a program may be answered.
var (
	ErrClaimed    = errors.New("the name is claimed already")
	ErrManyClaims = fmt.Errorf("%d names are claimed, and no more can be", MaxClaims)
	ErrNotClaimed = errors.New("the caller has not claimed this name")
	ErrNotAsked   = errors.New("nobody waits for a reply: there was no data, or it came too late")
)

// Exchange is where phones and programs meet. Its methods may be called from any goroutine.
type Exchange struct {
	log *slog.Logger

	mu     sync.Mutex
	claims map[string]*claim // by name
}

// claim is a name that a program answers for. A phone's data is sent once what was sent
// before has been replied to, however late: a reply says its name only, and what answers
// one phone must not get to the next one.
type claim struct {
	by     string
	send   func(name string, data []byte)
	asked  time.Time   // when data was sent that was not replied to; zero: none
	answer chan []byte // to the phone that waits, closed if no reply will come; nil: none does
}

// NewExchange returns an Exchange in which nothing is claimed.
func NewExchange(log *slog.Logger) *Exchange {
	return &Exchange{log: log, claims: map[string]*claim{}}
}

// ValidName reports whether name is one that can be claimed.
func ValidName(name string) bool {
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= MaxName
}

// Deliver sends data, which it neither keeps nor changes, to the program that has claimed
// name, and returns its reply, which is the caller's to wipe. It blocks for AnswerTimeout at
// most. The error is gateway.ErrNobody if r is nobody, gateway.ErrBusy if the program has not
// replied to another phone yet, ErrInvalid, ErrNoAnswer, or ctx's when that has ended first.
func (e *Exchange) Deliver(
	ctx context.Context, r gateway.Requester, name string, data []byte,
) ([]byte, error) {
	switch {
	case !r.Known():
		return nil, gateway.ErrNobody
	case !ValidName(name) || len(data) > MaxData:
		return nil, ErrInvalid
	}
	c, answer, err := e.ask(name)
	if err != nil {
		return nil, err
	}
	own := bytes.Clone(data)
	go func() { // by itself: a stuck bus does not make the phone wait for longer
		defer clear(own)
		c.send(name, own)
	}()
	late := time.NewTimer(AnswerTimeout)
	defer late.Stop()
	select {
	case reply, ok := <-answer:
		return replied(reply, ok)
	case <-late.C:
		err = ErrNoAnswer
	case <-ctx.Done():
		err = ctx.Err()
	}
	if reply, ok := e.abandon(c, answer); ok {
		return reply, nil
	}
	if errors.Is(err, ErrNoAnswer) {
		e.log.Warn("the program that has claimed "+name+" did not answer a phone in time; "+
			"it is sent nothing more until it does", "event", "unanswered", "name", name)
	}
	return nil, err
}

func replied(reply []byte, ok bool) ([]byte, error) {
	if !ok {
		return nil, ErrNoAnswer
	}
	return reply, nil
}

// ask returns the claim of a name, whose program may be sent data now, and where its answer
// will come.
func (e *Exchange) ask(name string) (*claim, chan []byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.claims[name]
	switch {
	case c == nil:
		return nil, nil, ErrNoAnswer
	case c.asked.IsZero():
	case c.answer != nil, time.Since(c.asked) < AnswerTimeout:
		return nil, nil, gateway.ErrBusy
	default:
		return nil, nil, ErrNoAnswer
	}
	c.asked, c.answer = time.Now(), make(chan []byte, 1)
	return c, c.answer, nil
}

// abandon has nobody wait for c's answer any more, and returns the one that has just come.
func (e *Exchange) abandon(c *claim, answer chan []byte) ([]byte, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.answer == answer {
		c.answer = nil
	}
	select {
	case reply, ok := <-answer:
		return reply, ok
	default:
		return nil, false
	}
}

// Claim has the program called by get what phones send to name, by send, which may block.
// send must not keep data. A second claim by the same program changes nothing: one that starts
// together with the daemon cannot know whether its first was in time. The error is ErrInvalid,
// ErrClaimed or ErrManyClaims.
func (e *Exchange) Claim(name, by string, send func(name string, data []byte)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !ValidName(name):
		return ErrInvalid
	case e.claims[name] != nil && e.claims[name].by == by:
		return nil
	case e.claims[name] != nil:
		return ErrClaimed
	case len(e.claims) >= MaxClaims:
		return ErrManyClaims
	}
	e.claims[name] = &claim{by: by, send: send}
	e.log.Info("a program answers phones for "+name, "event", "claimed", "name", name)
	return nil
}

// Reply answers the phone whose data was sent last to the program called by for name. data is
// the Exchange's from now on. The error is ErrInvalid if it is too long, and then another
// reply may follow; ErrNotClaimed or ErrNotAsked.
func (e *Exchange) Reply(name, by string, data []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.claims[name]
	switch {
	case c == nil || c.by != by:
		return ErrNotClaimed
	case len(data) > MaxData:
		return ErrInvalid
	case c.asked.IsZero():
		return ErrNotAsked
	}
	c.asked = time.Time{}
	if c.answer == nil {
		return ErrNotAsked
	}
	c.answer <- data
	c.answer = nil
	return nil
}

// Gone ends the claims of the program called by, and returns how many it had. Phones that
// wait for it are told.
func (e *Exchange) Gone(by string) int {
	return e.end(func(c *claim) bool { return c.by == by })
}

// Clear ends all claims.
func (e *Exchange) Clear() { e.end(func(*claim) bool { return true }) }

func (e *Exchange) end(ends func(*claim) bool) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, c := range e.claims {
		if !ends(c) {
			continue
		}
		n++
		delete(e.claims, name)
		if c.answer != nil {
			close(c.answer)
			c.answer = nil
		}
		e.log.Info("no program answers phones for "+name+" any more",
			"event", "claim-ended", "name", name)
	}
	return n
}
