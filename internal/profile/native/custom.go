package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/custom"
	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/profile"
)

// Operations: the first byte of what is written to Custom. Numbers are little-endian.
const (
	CustomBegin  byte = 1 // length (2 bytes), SHA-256 (32), the program's name
	CustomPiece  byte = 2 // offset (2), bytes
	CustomCommit byte = 3
	CustomPage   byte = 4 // offset (2): where the reply is read next
)

// States: the first byte that is read from Custom until a page is chosen.
const (
	CustomNone     byte = 0
	CustomReceives byte = 1 // then how many bytes have come (2)
	CustomWaits    byte = 2
	CustomAnswered byte = 3 // then length (2) and SHA-256 (32) of the reply
	CustomNoAnswer byte = 4
	CustomBusy     byte = 5
)

// What a write to Custom is answered that cannot be carried out.
const (
	ErrCustomUnknown gatt.ApplicationError = 0x86 // an operation, a name or a length that there is not
	ErrCustomOrder   gatt.ApplicationError = 0x87 // not now, or not at this offset
	ErrCustomHash    gatt.ApplicationError = 0x88 // the data is not what was announced: it is dropped
)

// customTimeout is how long a transfer is kept since the central's last write.
const customTimeout = time.Minute

// exchange is custom.Exchange.Deliver.
type exchange func(context.Context, gateway.Requester, string, []byte) ([]byte, error)

// transfers are what centrals send to programs, and what these answer: one a central.
type transfers struct {
	deliver exchange
	kept    *profile.PerCentral[*transfer]
}

// transfer is what a central sends, and then what it is answered.
type transfer struct {
	state  byte
	name   string
	length int
	sum    [sha256.Size]byte
	data   []byte // received so far; not the transfer's any more once it is committed
	reply  []byte
	page   []byte // of reply, that was chosen; nil: none was
	shown  []byte // what is being read: the pieces of a long read are of one value
	cancel context.CancelFunc
}

func newTransfers(deliver exchange) *transfers {
	fresh := func() *transfer { return &transfer{} }
	wipe := func(t **transfer) { (*t).drop() }
	return &transfers{deliver, profile.NewPerCentral(maxCentrals, customTimeout, fresh, wipe)}
}

// drop wipes t, and has nobody wait for an answer to it.
func (t *transfer) drop() {
	clear(t.data)
	clear(t.reply)
	if t.cancel != nil {
		t.cancel()
	}
	*t = transfer{}
}

// write carries out an operation. It is not the place to wait for an answer.
func (c *transfers) write(r gateway.Requester, value []byte) error {
	if len(value) == 0 {
		return gatt.ErrInvalidLength
	}
	err := error(ErrCustomUnknown)
	operation, rest := value[0], value[1:]
	c.kept.Update(r.Central(), func(t **transfer) {
		switch operation {
		case CustomBegin:
			var begun *transfer
			if begun, err = (*t).begin(rest); err == nil {
				(*t).drop()
				*t = begun
			}
		case CustomPiece:
			err = (*t).add(rest)
		case CustomCommit:
			if err = (*t).commit(rest); err == nil {
				c.start(r, *t)
			}
		case CustomPage:
			err = (*t).choose(rest)
		}
	})
	return err
}

// begin returns the transfer that follows t, which is as announced.
func (t *transfer) begin(rest []byte) (*transfer, error) {
	const fixed = 2 + sha256.Size
	switch {
	case t.state == CustomWaits:
		return nil, gatt.ErrInProgress
	case len(rest) <= fixed || len(rest) > fixed+custom.MaxName:
		return nil, gatt.ErrInvalidLength
	}
	begun := &transfer{state: CustomReceives, name: string(rest[fixed:])}
	begun.length = int(binary.LittleEndian.Uint16(rest))
	copy(begun.sum[:], rest[2:])
	if begun.length > custom.MaxData || !custom.ValidName(begun.name) {
		return nil, ErrCustomUnknown
	}
	begun.data = make([]byte, 0, begun.length) // it does not grow: no copy of it is left behind
	return begun, nil
}

func (t *transfer) add(rest []byte) error {
	if len(rest) < 3 {
		return gatt.ErrInvalidLength
	}
	offset, piece := int(binary.LittleEndian.Uint16(rest)), rest[2:]
	if t.state != CustomReceives || offset != len(t.data) || offset+len(piece) > t.length {
		return ErrCustomOrder
	}
	t.data = append(t.data, piece...)
	return nil
}

// commit checks that t is as it was announced. If the hash is another one, t is dropped.
func (t *transfer) commit(rest []byte) error {
	switch {
	case len(rest) != 0:
		return gatt.ErrInvalidLength
	case t.state != CustomReceives || len(t.data) != t.length:
		return ErrCustomOrder
	case sha256.Sum256(t.data) != t.sum:
		t.drop()
		return ErrCustomHash
	}
	return nil
}

// choose has reads give the reply from an offset on.
func (t *transfer) choose(rest []byte) error {
	if len(rest) != 2 {
		return gatt.ErrInvalidLength
	}
	offset := int(binary.LittleEndian.Uint16(rest))
	if t.state != CustomAnswered || offset > len(t.reply) {
		return ErrCustomOrder
	}
	t.page = t.reply[offset:min(offset+gatt.MaxValue, len(t.reply))]
	t.shown = nil
	return nil
}

// start has t delivered, and its answer kept if t still is then.
func (c *transfers) start(r gateway.Requester, t *transfer) {
	ctx, cancel := context.WithCancel(context.Background())
	name, data := t.name, t.data
	t.state, t.data, t.cancel = CustomWaits, nil, cancel
	go func() {
		defer cancel()
		reply, err := c.deliver(ctx, r, name, data)
		clear(data)
		wanted := false
		c.kept.Look(r.Central(), func(now **transfer) {
			if wanted = *now == t; wanted {
				t.end(reply, err)
			}
		})
		if !wanted {
			clear(reply)
		}
	}()
}

func (t *transfer) end(reply []byte, err error) {
	switch {
	case err == nil:
		t.state, t.reply = CustomAnswered, reply
	case errors.Is(err, gateway.ErrBusy):
		t.state = CustomBusy
	default:
		t.state = CustomNoAnswer
	}
}

// read answers with the state, or with the page that was chosen.
func (c *transfers) read(r gatt.Request) ([]byte, error) {
	value := []byte{CustomNone}
	c.kept.Look(r.Central, func(t **transfer) {
		if r.Offset == 0 || (*t).shown == nil {
			(*t).shown = (*t).show()
		}
		value = bytes.Clone((*t).shown) // not wiped while it is sent
	})
	return value, nil
}

func (t *transfer) show() []byte {
	header := []byte{t.state}
	switch {
	case t.page != nil:
		return t.page
	case t.state == CustomReceives:
		return binary.LittleEndian.AppendUint16(header, uint16(len(t.data)))
	case t.state == CustomAnswered:
		sum := sha256.Sum256(t.reply)
		return append(binary.LittleEndian.AppendUint16(header, uint16(len(t.reply))), sum[:]...)
	}
	return header
}
