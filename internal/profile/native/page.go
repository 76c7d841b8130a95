package native

import (
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// The third byte of a record: flags.
const (
	FlagJoined  byte = 1 // the gateway is on this network now
	FlagSeveral byte = 2 // more than one access point has this name
)

// SecurityOther stands in the second byte of a record for networks that cannot be
// provisioned: WEP, and those with a user name.
const SecurityOther byte = 0xFE

// writePage chooses the page that is read next. Writing page 0 takes a snapshot of the
// latest scan; the other pages are of the same scan until page 0 is written again.
func (p *Profile) writePage(r gatt.Request, value []byte) error {
	if len(value) != 1 {
		return gatt.ErrInvalidLength
	}
	n := int(value[0])
	found, joined := p.scans.Latest(), p.latest.Load().Network
	p.views.Update(r.Central, func(v *view) {
		if n == 0 || v.pages == nil {
			v.pages = encodePages(found, joined)
		}
		v.page = nil
		if n < len(v.pages) {
			v.page = v.pages[n]
		}
	})
	return nil
}

// readPage returns the page that was chosen: no bytes past the end, and before any was
// chosen.
func (p *Profile) readPage(r gatt.Request) (page []byte, _ error) {
	p.views.Update(r.Central, func(v *view) { page = v.page })
	return page, nil
}

// encodePages returns the records of the networks on pages of at most gatt.MaxValue
// bytes. joined is nil if no network is.
func encodePages(found []wifi.Offer, joined *wifi.Network) (pages [][]byte) {
	for _, o := range found {
		r := record(o, joined != nil && o.SSID == joined.SSID)
		if last := len(pages) - 1; last >= 0 && len(pages[last])+len(r) <= gatt.MaxValue {
			pages[last] = append(pages[last], r...)
		} else {
			pages = append(pages, r)
		}
	}
	return pages
}

// record is signal in dBm, security, flags, length of the SSID, SSID.
func record(o wifi.Offer, joined bool) []byte {
	security, flags := byte(o.Security), byte(0)
	if !o.Joinable {
		security = SecurityOther
	}
	if joined {
		flags |= FlagJoined
	}
	if o.Several {
		flags |= FlagSeveral
	}
	signal := int8(max(-128, min(127, o.SignalDBm)))
	return append([]byte{byte(signal), security, flags, byte(len(o.SSID))}, o.SSID...)
}
