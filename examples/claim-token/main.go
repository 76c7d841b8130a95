// Command claim-token takes a claim token that a phone sends, keeps it, and answers. It does
// the same as claim-token.py, which says more: go build ./examples/claim-token
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	name      = "io.github.wifiprovd1"
	path      = dbus.ObjectPath("/io/github/wifiprovd1")
	claimed   = "claim-token"
	noOwner   = "org.freedesktop.DBus.Error.ServiceUnknown"
	noOwner2  = "org.freedesktop.DBus.Error.NameHasNoOwner"
	ownership = "org.freedesktop.DBus.NameOwnerChanged"
)

func main() {
	log.SetFlags(0) // the journal has the time
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run serves until the bus ends; systemd starts it again.
func run() error {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	// Data needs no match: it is sent to this program.
	err = conn.AddMatchSignal(dbus.WithMatchSender("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name))
	if err != nil {
		return err
	}
	wifiprovd := conn.Object(name, path)
	if err := claim(wifiprovd); err != nil {
		return err
	}
	for s := range signals {
		switch {
		case s.Name == ownership && len(s.Body) == 3 && s.Body[0] == name && s.Body[2] != "":
			err = claim(wifiprovd) // the daemon has started, and knows nothing of a claim before
		case s.Name == name+".Data":
			err = reply(wifiprovd, s)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("the bus has ended")
}

// claim is no error while the daemon does not run: its start is signalled.
func claim(wifiprovd dbus.BusObject) error {
	err := wifiprovd.Call(name+".Claim", dbus.FlagNoAutoStart, claimed).Err
	if e, ok := err.(dbus.Error); ok && (e.Name == noOwner || e.Name == noOwner2) {
		return nil
	}
	if err == nil {
		fmt.Println("claimed")
	}
	return err
}

// reply answers each Data, within 10 s: the next comes after that.
func reply(wifiprovd dbus.BusObject, s *dbus.Signal) error {
	var called string
	var token []byte
	if err := dbus.Store(s.Body, &called, &token); err != nil || called != claimed {
		return err
	}
	defer clear(token)
	err := wifiprovd.Call(name+".Reply", 0, claimed, answer(token)).Err
	if e, ok := err.(dbus.Error); ok && strings.HasPrefix(e.Name, name) {
		log.Print(e.Name) // the phone has left
		return nil
	}
	return err
}

// answer returns what the phone reads. The token is in nothing that this program prints.
func answer(token []byte) []byte {
	if len(token) < 1 || len(token) > 1024 {
		return []byte("no token has that length")
	}
	if err := keep(token); err != nil {
		log.Print("the token cannot be kept: ", err)
		return []byte("the token cannot be kept")
	}
	fmt.Println("a token was kept")
	return []byte("kept")
}

// keep writes the token durably: after a power cut there is the old one or the new one.
func keep(token []byte) error {
	folder := os.Getenv("STATE_DIRECTORY")
	file := filepath.Join(folder, "token")
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(token); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
