package bluez

import (
	"github.com/muka/go-bluetooth/bluez/profile/adapter"
	"github.com/muka/go-bluetooth/bluez/profile/advertising"
	"github.com/muka/go-bluetooth/bluez/profile/agent"
	"github.com/muka/go-bluetooth/bluez/profile/device"
	"github.com/muka/go-bluetooth/bluez/profile/gatt"
)

// What BlueZ calls things. go-bluetooth is used here only: its generated clients
// have no deadlines, and its api/service tells every written value to the bus.
var (
	adapterInterface            = adapter.Adapter1Interface
	advertisementInterface      = advertising.LEAdvertisement1Interface
	advertisingManagerInterface = advertising.LEAdvertisingManager1Interface
	agentInterface              = agent.Agent1Interface
	agentManagerInterface       = agent.AgentManager1Interface
	characteristicInterface     = gatt.GattCharacteristic1Interface
	deviceInterface             = device.Device1Interface
	gattManagerInterface        = gatt.GattManager1Interface
	serviceInterface            = gatt.GattService1Interface
)

// What an agent can do with a passkey.
const (
	displayOnly     = agent.CapDisplayOnly
	noInputNoOutput = agent.CapNoInputNoOutput
)

// agentClient is what BlueZ calls on an agent (BlueZ doc/org.bluez.Agent.rst).
type agentClient = agent.Agent1Client

const (
	bluezName  = "org.bluez"
	bluezError = "org.bluez.Error."

	busName             = "org.freedesktop.DBus"
	objectManager       = "org.freedesktop.DBus.ObjectManager"
	propertiesInterface = "org.freedesktop.DBus.Properties"
)

// The paths of the objects that this package exports.
const (
	applicationPath   = "/wifiprovd/gatt"
	advertisementPath = "/wifiprovd/advertisement"
	agentPath         = "/wifiprovd/agent"
)

// flags are the characteristic flags of each security level (BlueZ
// doc/org.bluez.GattCharacteristic.rst; those for notify exist from 5.62).
var flags = map[Security]struct{ read, write, notify string }{
	None: {
		read:   gatt.FlagCharacteristicRead,
		write:  gatt.FlagCharacteristicWrite,
		notify: gatt.FlagCharacteristicNotify,
	},
	Encrypt: {
		read:   gatt.FlagCharacteristicEncryptRead,
		write:  gatt.FlagCharacteristicEncryptWrite,
		notify: "encrypt-notify",
	},
	Authenticated: {
		read:   gatt.FlagCharacteristicSecureRead,
		write:  gatt.FlagCharacteristicSecureWrite,
		notify: "secure-notify",
	},
}
