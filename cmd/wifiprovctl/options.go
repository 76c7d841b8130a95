package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wifiprovd/wifiprovd/internal/gateway"
	"github.com/wifiprovd/wifiprovd/internal/protocomm"
	"github.com/wifiprovd/wifiprovd/internal/wifi"
)

// options are the command line's.
type options struct {
	adapter      string
	timeout      time.Duration
	address      string
	passkeyFile  string
	noPairing    bool
	forget       bool
	ssid         string
	country      wifi.Country
	security     wifi.Security
	passwordFile string
	localOptions
	codeOptions
	sealOptions
}

// localOptions are those of commands on the gateway.
type localOptions struct {
	json   bool
	window time.Duration
	config string
}

// codeOptions are about the code on a gateway's label.
type codeOptions struct {
	code     bool
	codeFile string
	user     string // empty: the one that Espressif's apps take
	print    bool

	form, out, name, page string // of a label

	serials string // of a batch: a file
	count   int
}

// sealOptions are those of seal.
type sealOptions struct {
	undo, newKey bool
	pcrs         string
}

// job is one run of a command.
type job struct {
	world
	options
	screen *screen
}

// command is one of the program's commands.
type command struct {
	name    string
	summary string
	flags   func(*flag.FlagSet, *options)
	run     func(context.Context, *job) error
}

var commands = []command{
	{"scan", "list the gateways nearby: name, address, signal", timeoutFlag(5 * time.Second), scan},
	{"provision", "give a gateway a Wi-Fi network and see it join", provisionFlags, provision},
	{"watch", "follow a gateway's status until interrupted", gatewayFlags(0), watch},
	{"erase", "make a gateway forget its Wi-Fi network and its bonds", gatewayFlags(time.Minute), erase},
	{"status", "on the gateway: what it does, why, and what is next", localFlags(10 * time.Second), status},
	{"open", "on the gateway: let phones find and provision it for a while (root)", openFlags, open},
	{"close", "on the gateway: end that (root)", daemonFlags, closeWindow},
	{"code new", "on the gateway: make a new code for its label, and show it once (root)", codeNewFlags, codeNew},
	{"code set", "on the gateway: set a code that was chosen elsewhere (root)", codeSetFlags, codeSet},
	{"code label", "on the gateway: draw the label: name, user, code, and a QR code for phones (root)", codeLabelFlags, codeLabel},
	{"code show-qr", "on the gateway: show the QR code on this terminal (root)", codeShowQRFlags, codeShowQR},
	{"code batch", "in a factory: make the codes of many gateways, for labels and an image", codeBatchFlags, codeBatch},
	{"code remove", "on the gateway: forget the code (root)", codeFlags, codeRemove},
	{"code status", "on the gateway: whether there is a code, and what asks for it (root)", codeFlags, codeStatus},
	{"seal", "on the gateway: make the key that store.seal asks for (root)", sealFlags, sealStore},
	{"doctor", "on the gateway: what is wrong, and how to fix it", doctorFlags, examine},
}

func timeoutFlag(d time.Duration) func(*flag.FlagSet, *options) {
	return func(f *flag.FlagSet, o *options) {
		f.StringVar(&o.adapter, "adapter", "", "Bluetooth adapter `NAME`, such as hci0 (default: the first that is on)")
		f.DurationVar(&o.timeout, "timeout", d, "end after this `TIME`, such as 90s; 0: never")
	}
}

// localFlags are of the commands that ask the daemon on this machine.
func localFlags(d time.Duration) func(*flag.FlagSet, *options) {
	return func(f *flag.FlagSet, o *options) {
		f.BoolVar(&o.json, "json", false, "print JSON, for programs")
		f.DurationVar(&o.timeout, "timeout", d, "end after this `TIME`, such as 90s; 0: never")
	}
}

// daemonFlags are of the commands that ask something of the daemon on this machine.
func daemonFlags(f *flag.FlagSet, o *options) {
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "end after this `TIME`, such as 90s; 0: never")
}

func openFlags(f *flag.FlagSet, o *options) {
	daemonFlags(f, o)
	f.DurationVar(&o.window, "for", 0, "keep it open for this `TIME`, 10s to 1h, such as 2m\n"+
		"(default: bluetooth.window of the configuration)")
}

func sealFlags(f *flag.FlagSet, o *options) {
	f.DurationVar(&o.timeout, "timeout", 2*time.Minute, "end after this `TIME`, such as 90s; 0: never")
	f.BoolVar(&o.undo, "undo", false, "open the store again and remove the key, after store.seal was set to none")
	f.BoolVar(&o.newKey, "new-key", false, "make a new key where the old one cannot be opened any more;\nwhat is sealed by that stays shut")
	f.StringVar(&o.pcrs, "tpm2-pcrs", "7", "the TPM's registers that have to be as they are now, `LIST` such as 7 or 0+7")
	configFlag(f, o)
}

func doctorFlags(f *flag.FlagSet, o *options) {
	localFlags(time.Minute)(f, o)
	configFlag(f, o)
}

func configFlag(f *flag.FlagSet, o *options) {
	f.StringVar(&o.config, "config", "/etc/wifiprovd/wifiprovd.yaml", "the daemon's configuration `FILE`")
}

func gatewayFlags(d time.Duration) func(*flag.FlagSet, *options) {
	return func(f *flag.FlagSet, o *options) {
		timeoutFlag(d)(f, o)
		f.StringVar(&o.address, "address", "", "`ADDRESS` of the gateway (default: the only one nearby)")
		f.StringVar(&o.passkeyFile, "passkey-file", "", "read the passkey from `FILE`, which may be a FIFO, when it is asked for")
		f.BoolVar(&o.noPairing, "no-pairing", false, "do not pair: for a gateway with security mode none;\nanyone nearby can read what is sent")
		f.BoolVar(&o.forget, "forget", false, "drop this machine's bond with the gateway and pair anew")
	}
}

func provisionFlags(f *flag.FlagSet, o *options) {
	gatewayFlags(5*time.Minute)(f, o) // with the time to choose and to type
	f.StringVar(&o.ssid, "ssid", "", "`NAME` of the Wi-Fi network (default: choose from what the gateway hears)")
	f.StringVar(&o.passwordFile, "password-file", "", "read the password from `FILE`; default: ask for it, or read\nstandard input if it is no terminal")
	f.Func("country", "tell the gateway that it is in the country `CODE`, such as DE: one whose Wi-Fi is blocked for lack of it then unblocks it", func(s string) (err error) {
		o.country, err = wifi.ParseCountry(s)
		return err
	})
	f.BoolVar(&o.code, "code", false, "prove the code on the gateway's label, which is asked for; then there is no pairing")
	codeSource(f, o)
	f.StringVar(&o.user, "user", "", "`NAME` that belongs to the code (default: "+protocomm.DefaultUser+")")
	o.security = wifi.AutoDetect
	f.Func("security", "security `TYPE`: auto (default), open, wpa2, wpa2-sha256, wpa3, transition", func(s string) (err error) {
		o.security, err = wifi.ParseSecurity(s)
		return err
	})
}

// codeSource is where a code comes from.
func codeSource(f *flag.FlagSet, o *options) {
	f.StringVar(&o.codeFile, "code-file", "", "read the code from `FILE`, which may be a FIFO")
}

// codeFlags are of the commands about the gateway's own code.
func codeFlags(f *flag.FlagSet, o *options) {
	daemonFlags(f, o)
	f.StringVar(&o.config, "config", "/etc/wifiprovd/wifiprovd.yaml", "the daemon's configuration `FILE`")
}

func codeUser(f *flag.FlagSet, o *options) {
	codeFlags(f, o)
	f.StringVar(&o.user, "user", "", "`NAME` that belongs to the code (default: "+protocomm.DefaultUser+", which Espressif's\napps take unless they are told another one)")
}

func codeSetFlags(f *flag.FlagSet, o *options) {
	codeUser(f, o)
	codeSource(f, o)
}

func codeNewFlags(f *flag.FlagSet, o *options) {
	codeUser(f, o)
	f.BoolVar(&o.print, "print", false, "show the code also where standard output is no terminal")
}

func codeShowQRFlags(f *flag.FlagSet, o *options) {
	codeSetFlags(f, o)
	f.StringVar(&o.name, "name", "", "the `NAME` that is advertised (default: bluetooth.name of the configuration)")
	pageFlag(f, o, "add a second QR code, for a phone's browser: it opens the page at the address `URL` with the code")
}

func codeLabelFlags(f *flag.FlagSet, o *options) {
	codeShowQRFlags(f, o)
	for _, form := range []string{"text", "svg", "png", "pdf"} {
		f.BoolFunc(form, "draw it as "+map[string]string{"text": "text (default)", "svg": "SVG", "png": "PNG, for 300 dpi", "pdf": "PDF, a page of its size"}[form],
			func(string) error { o.form = form; return nil })
	}
	f.StringVar(&o.out, "out", "", "write it to `FILE`, which must not be there yet")
}

func pageFlag(f *flag.FlagSet, o *options, usage string) {
	f.Func("page", usage+"\n(https; a browser sends the code to nobody)", func(s string) (err error) {
		o.page, err = pageAddress(s)
		return err
	})
}

func codeBatchFlags(f *flag.FlagSet, o *options) {
	f.DurationVar(&o.timeout, "timeout", 0, "end after this `TIME`, such as 90s; 0: never")
	f.StringVar(&o.config, "config", "/etc/wifiprovd/wifiprovd.yaml", "the gateways' configuration `FILE`, for the name")
	f.StringVar(&o.user, "user", "", "`NAME` that belongs to the codes (default: "+protocomm.DefaultUser+")")
	f.StringVar(&o.name, "name", "", "the `NAME` that is advertised, {serial} in it for the serial number (default:\nbluetooth.name of the configuration)")
	f.StringVar(&o.serials, "serials", "", "make a code for each serial number in `FILE`, one a line")
	f.IntVar(&o.count, "count", 0, "make `N` codes, numbered")
	f.StringVar(&o.out, "out", "", "write to the folder `DIR`, which must not be there yet")
	pageFlag(f, o, "add a column with the text of a second QR code, which opens the page at the address `URL`")
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// helpRequest carries the help that was asked for.
type helpRequest struct{ text string }

func (*helpRequest) Error() string { return "help was asked for" }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// parse returns the command that args ask for and its options.
func parse(args []string) (*command, options, error) {
	var o options
	if len(args) == 0 {
		return nil, o, usagef("no command: see 'wifiprovctl help'")
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return nil, o, &helpRequest{usage()}
	case "version", "-version", "--version":
		return nil, o, &helpRequest{"wifiprovctl " + version + "\n"}
	}
	for i := range commands {
		words := strings.Fields(commands[i].name)
		if n := len(words); len(args) >= n && slices.Equal(args[:n], words) {
			o, err := parseOptions(&commands[i], args[n:])
			return &commands[i], o, err
		}
	}
	if args[0] == "code" {
		return nil, o, usagef("code what? new, set, label, show-qr, batch, remove or status: see 'wifiprovctl help'")
	}
	return nil, o, usagef("there is no command %q: see 'wifiprovctl help'", args[0])
}

func parseOptions(c *command, args []string) (options, error) {
	var o options
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	c.flags(f, &o)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, &helpRequest{commandUsage(c, f)}
	case err != nil:
		return o, usagef("%s: %w: see 'wifiprovctl %s --help'", c.name, err, c.name)
	case f.NArg() > 0:
		// It may be a password: do not repeat it.
		return o, usagef("%s takes options only; a password is never one: see 'wifiprovctl %s --help'", c.name, c.name)
	}
	return o, o.check()
}

// byCode reports whether the code on the label is to be proved.
func (o *codeOptions) byCode() bool { return o.code || o.codeFile != "" }

// owner returns the user name that belongs to the code.
func (o *codeOptions) owner() string { return cmp.Or(o.user, protocomm.DefaultUser) }

func (o *options) check() error {
	window := o.window
	switch {
	case o.timeout < 0:
		return usagef("--timeout cannot be negative")
	case window != 0 && (window < gateway.ShortestWindow || window > gateway.LongestWindow ||
		window%time.Second != 0):
		return usagef("--for is %s to %s, in whole seconds", gateway.ShortestWindow, gateway.LongestWindow)
	case o.count < 0 || o.count > maxBatch:
		return usagef("--count is 1 to %d", maxBatch)
	case o.byCode() && o.country != "":
		return usagef("--country needs pairing: it cannot be had with --code")
	case o.code && (o.noPairing || o.forget || o.passkeyFile != ""):
		return usagef("--code has no pairing: it needs no other option for that")
	case o.undo && o.newKey:
		return usagef("--undo and --new-key exclude each other")
	case strings.Trim(o.pcrs, "0123456789+") != "":
		return usagef("--tpm2-pcrs is a list of numbers, such as 0+7")
	case o.noPairing && o.passkeyFile != "":
		return usagef("--no-pairing needs no --passkey-file")
	case o.noPairing && o.forget:
		return usagef("--no-pairing and --forget exclude each other")
	case o.forget && o.address == "":
		return usagef("--forget needs --address")
	case len(o.ssid) > wifi.MaxSSIDLen:
		return usagef("--ssid has %d bytes, more than %d", len(o.ssid), wifi.MaxSSIDLen)
	case o.security == wifi.Open && o.passwordFile != "":
		return usagef("an open network takes no --password-file")
	}
	if o.address != "" {
		address, err := net.ParseMAC(o.address)
		if err != nil || len(address) != 6 {
			return usagef("--address is no Bluetooth address, such as AA:BB:CC:DD:EE:FF")
		}
		o.address = strings.ToUpper(address.String())
	}
	return nil
}

func usage() string {
	var b strings.Builder
	b.WriteString("wifiprovctl provisions gateways that run wifiprovd, over Bluetooth LE.\nOn a gateway, status and doctor say how it is; open and close let phones in;\ncode is about the code on its label, and seal guards its passwords.\n\nUsage: wifiprovctl COMMAND [OPTIONS]\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-12s %s\n", c.name, c.summary)
	}
	b.WriteString("  version      print the version\n  help         print this\n\n" +
		"'wifiprovctl COMMAND --help' lists a command's options.\n\n" + exitHelp)
	return b.String()
}

func commandUsage(c *command, f *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "wifiprovctl %s: %s\n\nOptions:\n", c.name, c.summary)
	f.VisitAll(func(option *flag.Flag) {
		argument, text := flag.UnquoteUsage(option)
		if option.DefValue != "" && option.DefValue != "0s" && option.DefValue != "false" {
			text += " (default: " + option.DefValue + ")"
		}
		fmt.Fprintf(&b, "  --%s\n        %s\n", strings.TrimSpace(option.Name+" "+argument), strings.ReplaceAll(text, "\n", "\n        "))
	})
	return b.String() + "\n" + exitHelp
}
