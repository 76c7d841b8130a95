package bluez

import (
	"github.com/godbus/dbus/v5"
	"github.com/muka/go-bluetooth/bluez/profile/adapter"
	"github.com/muka/go-bluetooth/bluez/profile/advertising"
	bluezagent "github.com/muka/go-bluetooth/bluez/profile/agent"
	"github.com/muka/go-bluetooth/bluez/profile/device"
	bluezgatt "github.com/muka/go-bluetooth/bluez/profile/gatt"

	"github.com/wifiprovd/wifiprovd/internal/gatt"
)

// What BlueZ calls things. go-bluetooth is used here only: its generated clients
// have no deadlines, and its api/service tells every written value to the bus.
var (
	adapterInterface            = adapter.Adapter1Interface
	advertisementInterface      = advertising.LEAdvertisement1Interface
	advertisingManagerInterface = advertising.LEAdvertisingManager1Interface
	agentManagerInterface       = bluezagent.AgentManager1Interface
	characteristicInterface     = bluezgatt.GattCharacteristic1Interface
	descriptorInterface         = bluezgatt.GattDescriptor1Interface
	deviceInterface             = device.Device1Interface
	gattManagerInterface        = bluezgatt.GattManager1Interface
	serviceInterface            = bluezgatt.GattService1Interface
)

// What an agent can do with a passkey.
const (
	displayOnly     = bluezagent.CapDisplayOnly
	noInputNoOutput = bluezagent.CapNoInputNoOutput
)

const (
	bluezName   = "org.bluez"
	bluezError  = "org.bluez.Error."
	managerPath = dbus.ObjectPath("/org/bluez") // of the AgentManager1
)

var requestDefaultAgent = agentManagerInterface + ".RequestDefaultAgent"

// The paths of the objects that this package exports.
const (
	applicationPath   = dbus.ObjectPath("/wifiprovd/gatt")
	comingPath        = dbus.ObjectPath("/wifiprovd/coming")        // Application.Coming
	advertisementPath = dbus.ObjectPath("/wifiprovd/advertisement") // 0, 1, … follows
	agentPath         = dbus.ObjectPath("/wifiprovd/agent")
)

// levelFlags are the flags of one pairing level, for characteristics; a descriptor's read
// flag is the same.
type levelFlags struct{ read, write, notify string }

// flags are the flags of each pairing level (BlueZ doc/org.bluez.GattCharacteristic.rst
// and GattDescriptor.rst; those for notify exist from 5.62). secure- demands LE Secure
// Connections with a passkey, from 5.57 on.
var flags = map[gatt.Pairing]levelFlags{
	gatt.NoPairing: {
		read:   bluezgatt.FlagCharacteristicRead,
		write:  bluezgatt.FlagCharacteristicWrite,
		notify: bluezgatt.FlagCharacteristicNotify,
	},
	gatt.Encrypt: {
		read:   bluezgatt.FlagCharacteristicEncryptRead,
		write:  bluezgatt.FlagCharacteristicEncryptWrite,
		notify: "encrypt-notify",
	},
	gatt.Authenticated: {
		read:   bluezgatt.FlagCharacteristicSecureRead,
		write:  bluezgatt.FlagCharacteristicSecureWrite,
		notify: "secure-notify",
	},
}
