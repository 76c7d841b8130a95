package protocomm

// security2 is the one security that is spoken.
const security2 = 2

// Handshake is a message of the endpoint Session. Step says which one it is, and which of the
// others is there.
type Handshake struct {
	Step Step

	User   []byte // of Hello
	Public []byte // of Hello and HelloAnswer
	Salt   []byte // of HelloAnswer
	Proof  []byte // of Proof and ProofAnswer
	Nonce  []byte // of ProofAnswer; NonceSize bytes
}

// Step is a message of the handshake.
type Step uint64

// The steps, in their order.
const (
	Hello       Step = 0 // the client's name and public key
	HelloAnswer Step = 1
	Proof       Step = 2 // of the client
	ProofAnswer Step = 3
)

// ParseHandshake parses b, whose parts it returns. Another security than 2 is ErrMalformed.
func ParseHandshake(b []byte) (Handshake, error) {
	outer, err := parse(b)
	if err != nil || outer.num(2) != security2 || !outer.has(12) {
		return Handshake{}, ErrMalformed
	}
	inner, err := outer.sub(12)
	if err != nil {
		return Handshake{}, err
	}
	h := Handshake{Step: Step(inner.num(1))}
	if h.Step > ProofAnswer || !inner.has(20+int(h.Step)) {
		return Handshake{}, ErrMalformed
	}
	body, err := inner.sub(20 + int(h.Step))
	if err != nil {
		return Handshake{}, err
	}
	switch h.Step {
	case Hello:
		h.User, h.Public = body.raw(1), body.raw(2)
	case HelloAnswer:
		h.Public, h.Salt = body.raw(2), body.raw(3)
	case Proof:
		h.Proof = body.raw(1)
	case ProofAnswer:
		h.Proof, h.Nonce = body.raw(2), body.raw(3)
	}
	return h, nil
}

// Encode returns h as it goes over the air.
func (h Handshake) Encode() []byte {
	var body builder
	switch h.Step {
	case Hello:
		body = body.raw(1, h.User).raw(2, h.Public)
	case HelloAnswer:
		body = body.raw(2, h.Public).raw(3, h.Salt)
	case Proof:
		body = body.raw(1, h.Proof)
	case ProofAnswer:
		body = body.raw(2, h.Proof).raw(3, h.Nonce)
	}
	inner := builder{}.number(1, uint64(h.Step)).sub(20+int(h.Step), body)
	return builder{}.number(2, security2).sub(12, inner)
}
