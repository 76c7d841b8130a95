package wpa

import "github.com/godbus/dbus/v5"

// Names of wpa_supplicant's D-Bus interface (hostap, doc/dbus.doxygen).
const (
	service    = "fi.w1.wpa_supplicant1"
	rootPath   = dbus.ObjectPath("/fi/w1/wpa_supplicant1")
	rootIface  = service
	ifaceIface = service + ".Interface"
	bssIface   = service + ".BSS"
	netIface   = service + ".Network"

	errIfaceUnknown = service + ".InterfaceUnknown"
	errIfaceExists  = service + ".InterfaceExists"
	errUnknown      = service + ".UnknownError"
	errScan         = ifaceIface + ".ScanError"
)

// noPath is what wpa_supplicant answers instead of no object.
const noPath = dbus.ObjectPath("/")
