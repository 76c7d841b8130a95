package protocomm

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that bytes are no message.
var ErrMalformed = errors.New("the message is malformed")

// The wire types of a field (protobuf.dev/programming-guides/encoding).
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// field is one field of a message: a number, or bytes, which are a part of the message's.
type field struct {
	tag    int
	number uint64
	bytes  []byte // nil: it is a number
}

// message is a message as it came: of a field that comes twice the last one counts, and those
// that nobody asks for do not.
type message []field

func parse(b []byte) (message, error) {
	if len(b) > MaxMessage {
		return nil, ErrMalformed
	}
	var m message
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 || key>>3 == 0 || key>>3 > 1<<29-1 {
			return nil, ErrMalformed
		}
		f := field{tag: int(key >> 3)}
		rest, ok := f.read(int(key&7), b[n:])
		if !ok {
			return nil, ErrMalformed
		}
		m, b = append(m, f), rest
	}
	return m, nil
}

// read takes the value of a field off b.
func (f *field) read(wire int, b []byte) (rest []byte, ok bool) {
	skip := map[int]int{wire64: 8, wire32: 4}[wire]
	switch wire {
	case wireVarint:
		var n int
		f.number, n = binary.Uvarint(b)
		return b[max(n, 0):], n > 0
	case wireBytes:
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return nil, false
		}
		end := n + int(length)
		f.bytes = b[n:end:end]
		return b[end:], true
	case wire64, wire32: // of no message here
		f.tag = 0
		return b[min(skip, len(b)):], len(b) >= skip
	}
	return nil, false
}

// num returns a number, 0 if there is none.
func (m message) num(tag int) (n uint64) {
	for _, f := range m {
		if f.tag == tag && f.bytes == nil {
			n = f.number
		}
	}
	return n
}

// raw returns bytes, nil if there are none.
func (m message) raw(tag int) (b []byte) {
	for _, f := range m {
		if f.tag == tag && f.bytes != nil {
			b = f.bytes
		}
	}
	return b
}

// sub returns a message within m, an empty one if there is none.
func (m message) sub(tag int) (message, error) { return parse(m.raw(tag)) }

// has reports whether m has the field.
func (m message) has(tag int) bool {
	for _, f := range m {
		if f.tag == tag {
			return true
		}
	}
	return false
}

// builder is a message that grows, field by field.
type builder []byte

// number adds a number, unless it is 0: then it is left out, which means the same.
func (b builder) number(tag int, n uint64) builder {
	if n == 0 {
		return b
	}
	return b.always(tag, n)
}

// always adds a number, also 0: where one of several fields is told by which one is there.
func (b builder) always(tag int, n uint64) builder {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(tag)<<3|wireVarint), n)
}

// raw adds bytes, unless there are none.
func (b builder) raw(tag int, value []byte) builder {
	if len(value) == 0 {
		return b
	}
	return b.sub(tag, value)
}

// sub adds a message, also an empty one.
func (b builder) sub(tag int, value []byte) builder {
	b = binary.AppendUvarint(b, uint64(tag)<<3|wireBytes)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}
