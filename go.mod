module github.com/wifiprovd/wifiprovd

go 1.26.0

require (
	github.com/godbus/dbus/v5 v5.2.4
	golang.org/x/sys v0.49.0
	gopkg.in/yaml.v3 v3.0.1
)

require golang.org/x/term v0.47.0

require github.com/mdlayher/genetlink v1.4.0

require filippo.io/bigmod v0.1.0

require github.com/boombuler/barcode v1.1.0

require golang.org/x/image v0.47.0

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/mdlayher/netlink v1.11.2
	github.com/mdlayher/socket v0.6.0 // indirect
	golang.org/x/net v0.53.0 // indirect
)

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/fatih/structs v1.1.0 // indirect
	github.com/konsorten/go-windows-terminal-sequences v1.0.3 // indirect
	github.com/muka/go-bluetooth v0.0.0-20240701044517-04c4f09c514e
	github.com/sirupsen/logrus v1.6.0 // indirect
	golang.org/x/sync v0.24.0
)
