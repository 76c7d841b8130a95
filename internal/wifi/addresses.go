package wifi

import "net/netip"

// Addresses are what the Wi-Fi interface has. An address that is not valid is not
// there.
type Addresses struct {
	IPv4    netip.Addr // the first global one
	IPv6    netip.Addr // the first global one that is usable, lasting and not temporary
	Gateway netip.Addr // of the preferred default route: IPv4's, else IPv6's

	// IPv4Given and IPv6Given are when the address was given or renewed last, in
	// hundredths of a second since the machine's start. 0: it lasts until it is taken
	// away, like one that an administrator set.
	IPv4Given, IPv6Given uint32
}

// Bound reports whether there is an address.
func (a Addresses) Bound() bool { return a.IPv4.IsValid() || a.IPv6.IsValid() }
