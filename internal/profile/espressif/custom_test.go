package espressif

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
)

// What a phone sends to custom-data gets to the program that has claimed the name, and its answer
// to the phone, as Espressif's client has both: bytes, sealed. An answer of nothing is one, too.
func TestCustom(t *testing.T) {
	if !custom.ValidName(CustomName) {
		t.Fatal("nobody can claim it")
	}
	r := newRig(t)
	c := r.session(phone1)
	most := strings.Repeat("x", maxReply)
	for sent, answer := range map[string]string{"hello": "SUCCESS", "": "none was sent", "nothing comes back": "", most: most} {
		given := []byte(answer)
		r.deliver = func(_ context.Context, from gateway.Requester, name string, data []byte) ([]byte, error) {
			if from != gateway.Phone(phone1) || name != "custom-data" || string(data) != sent {
				t.Errorf("%s sends %q to %s", from, data, name)
			}
			return given, nil
		}
		if got := c.ask(protocomm.Custom, []byte(sent)); string(got) != answer {
			t.Errorf("%q is answered %q", sent, got)
		}
	}
	r.noSecrets()
	if strings.Contains(r.log.String(), "SUCCESS") {
		t.Error("an answer is in the log")
	}
}

// Nobody answers: an ATT error, when that is known. The session goes on, and counts no answer.
func TestCustomUnanswered(t *testing.T) {
	r := newRig(t)
	c := r.session(phone1)
	for name, d := range map[string]struct {
		answer []byte
		err    error
		want   error
	}{
		"nobody":   {nil, custom.ErrNoAnswer, gatt.ErrUnlikely},
		"too much": {bytes.Repeat([]byte("x"), maxReply+1), nil, gatt.ErrUnlikely},
		"busy":     {nil, gateway.ErrBusy, gatt.ErrInProgress},
	} {
		slow := make(chan struct{})
		r.deliver = func(context.Context, gateway.Requester, string, []byte) ([]byte, error) {
			<-slow
			return d.answer, d.err
		}
		if err := r.write(phone1, protocomm.Custom, c.seal([]byte("a token"))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		reads := r.reads(phone1, protocomm.Custom)
		if len(reads) != 0 {
			t.Errorf("%s: read before there is an answer", name)
		}
		close(slow)
		if got := <-reads; got.value != nil || !errors.Is(got.err, d.want) {
			t.Errorf("%s: %q, %v", name, got.value, got.err)
		}
		c.expect(offStatus)
	}
	if log := r.log.String(); strings.Contains(log, "a token") || strings.Contains(log, "xxx") || !strings.Contains(log, "reply-too-long") {
		t.Errorf("the log: %s", log)
	}
}

// Nothing gets out of a session: not of a phone without one, of one whose code was replaced, during
// another phone's attempt, or to who has left.
func TestCustomRefused(t *testing.T) {
	r := newRig(t)
	asked := 0
	r.deliver = func(context.Context, gateway.Requester, string, []byte) ([]byte, error) {
		asked++
		return nil, nil
	}
	if err := r.write(phone2, protocomm.Custom, []byte("a token")); err == nil {
		t.Error("taken without a session")
	}
	one, two := r.session(phone1), r.session(phone2)
	one.provision("home", password)
	if err := r.write(phone2, protocomm.Custom, two.seal([]byte("a token"))); err != nil {
		t.Fatal(err)
	}
	if got := <-r.reads(phone2, protocomm.Custom); !errors.Is(got.err, gatt.ErrInProgress) {
		t.Errorf("during another's attempt: %v", got.err)
	}
	two.expect(offStatus)
	r.profile.SetCode(&other)
	if err := r.write(phone1, protocomm.Custom, one.seal([]byte("a token"))); err == nil || asked != 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	one.expect(joiningStatus)

	r.profile.SetCode(&right)
	slow, ended := make(chan struct{}), make(chan []byte, 1)
	answer := []byte("for phone1 alone")
	r.deliver = func(context.Context, gateway.Requester, string, []byte) ([]byte, error) {
		defer func() { ended <- answer }()
		<-slow
		return answer, nil
	}
	if err := r.write(phone1, protocomm.Custom, one.seal([]byte("a token"))); err != nil {
		t.Fatal(err)
	}
	reads := r.reads(phone1, protocomm.Custom)
	r.profile.Gone(phone1)
	if got := <-reads; got.err == nil {
		t.Error("answered after it has left")
	}
	close(slow)
	<-ended
	if got := r.read(phone1, protocomm.Custom); len(got) != 0 {
		t.Errorf("on its next connection it reads %x", got)
	}
}
