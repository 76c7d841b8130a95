package gateway

import "github.com/wifiprovd/wifiprovd/internal/gatt"

// Requester is who asks for something. The zero value is nobody, whose requests are
// refused.
type Requester struct {
	central  gatt.Central
	operator bool
}

// Phone returns the requester at c; nobody if c is no central.
func Phone(c gatt.Central) Requester { return Requester{central: c} }

// Operator returns whoever is root on the gateway.
func Operator() Requester { return Requester{operator: true} }

// Known reports whether r is somebody.
func (r Requester) Known() bool { return r != Requester{} }

// IsOperator reports whether r is root on the gateway.
func (r Requester) IsOperator() bool { return r.operator }

// Central returns the phone that r is, the zero value if r is none.
func (r Requester) Central() gatt.Central { return r.central }

// String returns the phone's address, or "operator", or "nobody".
func (r Requester) String() string {
	switch {
	case r.operator:
		return "operator"
	case r.central != "":
		return string(r.central)
	}
	return "nobody"
}
