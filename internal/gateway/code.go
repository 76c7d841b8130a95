package gateway

// Code is what there is of the code on the gateway's label, without anything of the code itself.
type Code uint8

// The values of Code.
const (
	CodeUnknown    Code = iota // it has not been looked for yet
	CodeNone                   // there is none
	CodeSet                    // there is one, which phones can prove
	CodeUnreadable             // there is one, and it cannot be read or opened: nobody can prove it
)

var codeNames = [...]string{"", "none", "set", "unreadable"}

// String returns the name that D-Bus has for c: none, set or unreadable; empty: not known yet.
func (c Code) String() string {
	return name(codeNames[:], int(c))
}
