package main

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The manual page and the completion name every command and every option, and
// the page every exit status.
func TestDocuments(t *testing.T) {
	page := read(t, "../../packaging/man/wifiprovctl.1")
	page = strings.ReplaceAll(page, `\-`, "-")
	completion := read(t, "../../packaging/completion/wifiprovctl.bash")
	for _, c := range commands {
		f := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.flags(f, &options{})
		f.VisitAll(func(option *flag.Flag) {
			if name := "--" + option.Name; !strings.Contains(page, name) || !strings.Contains(completion, name) {
				t.Errorf("%s of %s is missing in the manual page or in the completion", name, c.name)
			}
		})
		if !strings.Contains(page, ".B "+c.name+"\n") || !strings.Contains(completion, c.name) {
			t.Errorf("%s is missing in the manual page or in the completion", c.name)
		}
	}
	for status := exitOK; status <= exitNotRunning; status++ {
		n := strconv.Itoa(status)
		if !strings.Contains(page, ".B "+n+"\n") || !strings.Contains(exitHelp, "  "+n+"  ") {
			t.Errorf("exit status %d is missing in the manual page or in the help", status)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
