// Command wifiprovd lets a phone bring a headless Linux gateway onto the Wi-Fi
// over Bluetooth LE. See wifiprovd(8).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wifiprovd/wifiprovd/internal/config"
	"github.com/wifiprovd/wifiprovd/internal/gatt"
	"github.com/wifiprovd/wifiprovd/internal/journal"
)

// version is set by the linker.
var version = "devel"

const earliest = 2025 // no clock that was set shows an earlier year

// Exit statuses.
const (
	exFailure = 1  // the message bus is lost, or has ended; systemd starts the daemon again
	exUsage   = 2  // of the command line
	exConfig  = 78 // of -check (sysexits.h, EX_CONFIG)
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("wifiprovd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "/etc/wifiprovd/wifiprovd.yaml", "read the configuration from `file`")
	check := flags.Bool("check", false, "check the configuration and exit: status 0 if it is valid, 78 if not")
	radios := flags.Bool("radio", false, "unblock Bluetooth, and Wi-Fi if the country is known, and exit")
	showVersion := flags.Bool("version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exUsage
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "wifiprovd: %q is not expected; see wifiprovd -help\n", flags.Arg(0))
		return exUsage
	case *showVersion:
		fmt.Fprintf(stdout, "wifiprovd %s\n", version)
		return 0
	}
	c, files, broken := config.Load(*path)
	switch {
	case *check:
		return checked(c, files, broken, stdout, stderr)
	case broken != nil:
		c = config.Strict()
	}
	log := journal.NewLogger(c.Log.Level, stderr)
	// Secrets are in this process: no core dump, no ptrace by others (prctl(2)).
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("core dumps cannot be switched off", "err", err)
	}
	if *radios {
		return cure(c, log)
	}
	announce(log, c, files, broken)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := serve(ctx, c, log); err != nil {
		log.Error("wifiprovd ends", "event", "ended", "err", err)
		return exFailure
	}
	return 0
}

// checked is wifiprovd -check: it says what config.Load has returned, and returns the exit status.
func checked(c config.Config, files []string, broken error, stdout, stderr io.Writer) int {
	if broken != nil {
		fmt.Fprintf(stderr, "wifiprovd: %v\n", broken)
		return exConfig
	}
	for _, file := range files {
		fmt.Fprintf(stdout, "%s is valid\n", file)
	}
	if c.Former != "" {
		fmt.Fprintf(stdout, "%s; write that instead\n", c.Former)
	}
	return 0
}

// announce says at the start what whoever reads the journal has to know. files are those of the
// configuration, the main one first. broken says what is wrong with it; nil: nothing.
func announce(log *slog.Logger, c config.Config, files []string, broken error) {
	if broken != nil {
		log.Error("the configuration cannot be used: until it is mended, phones need the passkey from the journal or the code on the label, and every other setting has its default",
			"event", "configuration-broken", "err", broken)
	}
	dropIns := ""
	if broken == nil && len(files) > 1 {
		dropIns = ", with " + strings.Join(files[1:], ", ")
	}
	log.Info(fmt.Sprintf("wifiprovd %s starting, security: %s%s", version, c.Bluetooth.Security, dropIns), "event", "starting", "version", version, "security", c.Bluetooth.Security)
	if c.Former != "" {
		log.Warn("the configuration is of an earlier version: "+c.Former+"; write that instead",
			"event", "configuration-former")
	}
	if c.Bluetooth.Security == gatt.NoPairing {
		log.Warn("security none: credentials travel in plaintext; set bluetooth.security to encrypt or authenticated for anything but evaluation", "event", "plaintext")
	}
	if now := time.Now(); now.Year() < earliest {
		log.Warn("the clock was not set: nothing here needs it, but the journal's times and certificates do; timedatectl set-ntp true",
			"event", "clock", "now", now.UTC().Format(time.DateOnly))
	}
}
