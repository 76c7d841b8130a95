// Command wifiprovctl provisions a gateway over Bluetooth LE from this machine: it is a phone on
// the command line. On the gateway it shows what the daemon does and what is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// version is set by the build (Makefile).
var version = "unknown"

// world is all that a command may touch outside of itself.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// terminal: stdout is one, so progress may be drawn in place, and names may be shown in more
	// than ASCII.
	terminal bool
	// askPassword asks for a password without echo. Nil: stdin is no terminal, and the password is
	// read from it.
	askPassword func(ctx context.Context, prompt string) ([]byte, error)
	// openTTY opens the controlling terminal, to ask for a passkey.
	openTTY func() (io.ReadWriteCloser, error)
	bus     string // address of the message bus; empty: the system bus
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	w := world{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		terminal: term.IsTerminal(int(os.Stdout.Fd())),
		openTTY:  func() (io.ReadWriteCloser, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) },
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		w.askPassword = askPassword
	}
	status := run(ctx, w, os.Args[1:])
	stop()
	os.Exit(status)
}

// askPassword asks on standard input, which is a terminal. If ctx ends, the terminal echoes again.
func askPassword(ctx context.Context, prompt string) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	return within(ctx, func() ([]byte, error) { return term.ReadPassword(fd) }, func() { _ = term.Restore(fd, state) })
}

// within returns read's result, or calls stop and gives up when ctx ends. A read from a terminal
// or a FIFO cannot be cancelled: it goes on until the program ends.
func within[T any](ctx context.Context, read func() (T, error), stop func()) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := read()
		results <- result{value, err}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		stop()
		var none T
		return none, ctx.Err()
	}
}

// run runs the command that args name and returns the exit status.
func run(ctx context.Context, w world, args []string) int {
	command, o, err := parse(args)
	var help *helpRequest
	switch {
	case errors.As(err, &help):
		fmt.Fprint(w.stdout, help.text)
		return exitOK
	case err != nil:
		return report(w.stderr, err)
	}
	begin := ctx
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	screen := newScreen(w.stdout, w.terminal)
	defer screen.idle()
	err = command.run(ctx, &job{world: w, options: o, screen: screen})
	screen.idle()
	switch {
	case err != nil && begin.Err() != nil:
		err = errors.New("interrupted")
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		err = fmt.Errorf("it took longer than %s (see --timeout): %w", o.timeout, err)
	}
	return report(w.stderr, err)
}
