package espressif

import (
	"bytes"
	"context"
	"errors"
	"log/slog"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
)

// CustomName is what a maker's program claims to get what phones send to custom-data: the
// endpoint carries bytes without a name.
const CustomName = "custom-data"

const maxReply = protocomm.MaxMessage - protocomm.Overhead

// exchange is custom.Exchange.Deliver.
type exchange func(context.Context, gateway.Requester, string, []byte) ([]byte, error)

// programs has a program of a maker's answer those who have proved the code.
type programs struct {
	control  gateway.Control
	deliver  exchange
	sessions *sessions
	log      *slog.Logger
}

// request hands a request of custom-data over. Its answer is read when there is one.
func (p *programs) request(plain []byte, to reply) error {
	if !p.sessions.proved(to.central) {
		return protocomm.ErrMalformed
	}
	r := gateway.Phone(to.central)
	if err := profile.MayAsk(p.control, r); err != nil {
		p.sessions.refuse(to, profile.Answer(err))
		return nil
	}
	data := bytes.Clone(plain) // the caller wipes its own
	go func() {
		answer, err := p.deliver(context.Background(), r, CustomName, data)
		clear(data)
		p.end(to, answer, err)
		clear(answer)
	}()
	return nil
}

// end answers with what the program has. Bytes have no room for a result: nobody answers is an
// ATT error, on the read.
func (p *programs) end(to reply, answer []byte, err error) {
	switch {
	case errors.Is(err, gateway.ErrBusy):
		p.sessions.refuse(to, gatt.ErrInProgress)
	case err != nil:
		p.sessions.refuse(to, gatt.ErrUnlikely)
	case len(answer) > maxReply:
		p.log.Warn("the program that has claimed "+CustomName+" has answered a phone with more than the protocol carries",
			"event", "reply-too-long", "name", CustomName, "bytes", len(answer), "most", maxReply)
		p.sessions.refuse(to, gatt.ErrUnlikely)
	default:
		p.sessions.answer(to, answer)
	}
}
