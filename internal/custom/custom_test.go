package custom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
)

const (
	secret   = "token 4711"
	answer   = "answer 0815"
	program  = ":1.7"
	program2 = ":1.8"
)

var phone = gateway.Phone("AA:BB:CC:00:00:01")

// rig is an Exchange, what programs were sent, and what phones were answered.
type rig struct {
	*Exchange
	t    *testing.T
	log  *bytes.Buffer
	mu   sync.Mutex
	sent []string
}

func inBubble(t *testing.T, test func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, log: &bytes.Buffer{}}
		r.Exchange = NewExchange(slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		test(r)
		if log := r.log.String(); strings.Contains(log, secret) || strings.Contains(log, answer) {
			t.Errorf("data in the log:\n%s", log)
		}
	})
}

func (r *rig) claim(name, by string) {
	r.t.Helper()
	err := r.Claim(name, by, func(name string, data []byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent = append(r.sent, by+" "+name+" "+string(data))
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// outcome is how a Deliver ended.
type outcome struct {
	reply string
	err   error
}

// deliver has a phone send data; its outcome comes by the channel.
func (r *rig) deliver(ctx context.Context, name, data string) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		reply, err := r.Deliver(ctx, phone, name, []byte(data))
		ended <- outcome{string(reply), err}
	}()
	synctest.Wait()
	return ended
}

// ends checks the outcome, which must be there.
func (r *rig) ends(ended <-chan outcome, reply string, err error) {
	r.t.Helper()
	synctest.Wait()
	select {
	case o := <-ended:
		if o.reply != reply || !errors.Is(o.err, err) || (err == nil) != (o.err == nil) {
			r.t.Errorf("ended with %q, %v; want %q, %v", o.reply, o.err, reply, err)
		}
		if o.err != nil && strings.Contains(o.err.Error(), secret) {
			r.t.Error("the error tells the data")
		}
	default:
		r.t.Error("not ended")
	}
}

func (r *rig) wasSent(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if fmt.Sprint(r.sent) != fmt.Sprint(want) {
		r.t.Errorf("sent %q, want %q", r.sent, want)
	}
	r.sent = nil
}

func (r *rig) replies(name, by, data string, want error) {
	r.t.Helper()
	if err := r.Reply(name, by, []byte(data)); !errors.Is(err, want) || (want == nil) != (err == nil) {
		r.t.Errorf("reply: %v, want %v", err, want)
	}
}

func TestAnswered(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.ends(r.deliver(r.t.Context(), "token", secret), "", ErrNoAnswer) // nobody has claimed it
		r.claim("token", program)
		r.claim("other", program2)
		ended := r.deliver(r.t.Context(), "token", secret)
		r.wasSent(program + " token " + secret)
		r.replies("token", program2, answer, ErrNotClaimed)
		r.replies("nothing", program, answer, ErrNotClaimed)
		r.replies("other", program2, answer, ErrNotAsked)
		time.Sleep(AnswerTimeout - 1)
		r.replies("token", program, answer, nil)
		r.ends(ended, answer, nil)
		r.replies("token", program, answer, ErrNotAsked)
		ended = r.deliver(r.t.Context(), "token", "") // data and reply may be empty
		r.replies("token", program, "", nil)
		r.ends(ended, "", nil)
	})
}

// A late reply is nobody's, above all not the next phone's.
func TestLateReply(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.claim("token", program)
		ended := r.deliver(r.t.Context(), "token", secret)
		time.Sleep(AnswerTimeout)
		r.ends(ended, "", ErrNoAnswer)
		if !strings.Contains(r.log.String(), "event=unanswered") {
			t.Error("nothing in the log")
		}
		r.wasSent(program + " token " + secret)
		r.ends(r.deliver(r.t.Context(), "token", "second"), "", ErrNoAnswer)
		r.wasSent()
		r.replies("token", program, answer, ErrNotAsked)
		ended = r.deliver(r.t.Context(), "token", "third")
		r.wasSent(program + " token third")
		r.replies("token", program, "to the third", nil)
		r.ends(ended, "to the third", nil)
	})
}

// The reply to a phone that has left is not the next one's either.
func TestPhoneLeaves(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.claim("token", program)
		ctx, leave := context.WithCancel(r.t.Context())
		ended := r.deliver(ctx, "token", secret)
		leave()
		r.ends(ended, "", context.Canceled)
		r.ends(r.deliver(r.t.Context(), "token", "second"), "", gateway.ErrBusy)
		r.replies("token", program, answer, ErrNotAsked)
		ended = r.deliver(r.t.Context(), "token", "third")
		r.replies("token", program, "to the third", nil)
		r.ends(ended, "to the third", nil)
		r.wasSent(program+" token "+secret, program+" token third")
	})
}

func TestOnePhoneAtATime(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.claim("token", program)
		first := r.deliver(r.t.Context(), "token", secret)
		r.ends(r.deliver(r.t.Context(), "token", "second"), "", gateway.ErrBusy)
		r.replies("token", program, answer, nil)
		r.ends(first, answer, nil)
		r.wasSent(program + " token " + secret)
	})
}

func TestProgramEnds(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.claim("one", program)
		r.claim("two", program)
		r.claim("three", program2)
		one, three := r.deliver(r.t.Context(), "one", secret), r.deliver(r.t.Context(), "three", secret)
		if n := r.Gone(program); n != 2 {
			t.Errorf("%d claims ended", n)
		}
		r.ends(one, "", ErrNoAnswer)
		r.ends(r.deliver(r.t.Context(), "two", secret), "", ErrNoAnswer)
		r.replies("one", program, answer, ErrNotClaimed)
		r.claim("one", program2) // is free again
		r.replies("one", program2, answer, ErrNotAsked)
		r.Clear()
		r.ends(three, "", ErrNoAnswer)
		if n := r.Gone(program2); n != 0 {
			t.Errorf("%d claims were left", n)
		}
	})
}

func TestBounds(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.claim("token", program)
		r.claim("token", program) // again
		if err := r.Claim("token", program2, nil); !errors.Is(err, ErrClaimed) {
			t.Errorf("claimed twice: %v", err)
		}
		for _, name := range []string{"", "A", "a b", "a/b", "ä", "a\x00", strings.Repeat("a", MaxName+1)} {
			if err := r.Claim(name, program, nil); !errors.Is(err, ErrInvalid) {
				t.Errorf("claimed %q: %v", name, err)
			}
			r.ends(r.deliver(r.t.Context(), name, secret), "", ErrInvalid)
		}
		r.claim(strings.Repeat("a", MaxName), program)
		for i := range MaxClaims - 2 {
			r.claim(fmt.Sprintf("0._-%d", i), program)
		}
		if err := r.Claim("another", program2, nil); !errors.Is(err, ErrManyClaims) {
			t.Errorf("one too many: %v", err)
		}
		r.ends(r.deliver(r.t.Context(), "token", strings.Repeat("x", MaxData+1)), "", ErrInvalid)
		if _, err := r.Deliver(r.t.Context(), gateway.Phone(""), "token", nil); !errors.Is(err, gateway.ErrNobody) {
			t.Errorf("nobody's: %v", err)
		}
		r.wasSent()
		ended := r.deliver(r.t.Context(), "token", strings.Repeat("x", MaxData))
		r.replies("token", program, strings.Repeat("y", MaxData+1), ErrInvalid)
		r.replies("token", program, strings.Repeat("y", MaxData), nil)
		r.ends(ended, strings.Repeat("y", MaxData), nil)
	})
}

// The caller's data stays as it is; the copy is wiped once it is sent, and a bus that is
// stuck does not hold the phone.
func TestWipedAndNotStuck(t *testing.T) {
	inBubble(t, func(r *rig) {
		stuck, kept := make(chan bool), []byte(nil)
		if err := r.Claim("token", program, func(_ string, data []byte) { kept = data; <-stuck }); err != nil {
			t.Fatal(err)
		}
		data := []byte(secret)
		if _, err := r.Deliver(r.t.Context(), phone, "token", data); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
		close(stuck)
		synctest.Wait()
		if string(data) != secret || bytes.ContainsAny(kept, secret) || len(kept) != len(secret) {
			t.Errorf("%q, %q", data, kept)
		}
	})
}
