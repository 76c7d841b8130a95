package gatt

// Advert is one advertisement. A legacy advertisement carries 31 bytes, and its scan
// response as many (Bluetooth Core 5.4, Vol 6, Part B, 2.3.1): what does not fit is
// for whoever declares it to leave out.
type Advert struct {
	ServiceUUIDs []string          // in the advertising data
	ServiceData  map[string][]byte // by service UUID
	Often        bool              // every 0.1 to 0.15 s: for phones that listen for some seconds only
	Name         string            // in the scan response, at most 29 bytes; BlueZ cuts what is longer
}
