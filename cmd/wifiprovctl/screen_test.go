package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestScreenElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := newScreen(&out, false)
		s.doing("looking")
		time.Sleep(1900 * time.Millisecond)
		s.step("found %s", s.quote("caf\u00e9\x1b[2J"))
		s.doing("joining")
		time.Sleep(8 * time.Second)
		s.step("CONNECTED")
		s.idle()
		want := "   1.9 s  found \"caf\\u00e9\\x1b[2J\"\n" +
			"   3.9 s  joining ...\n" +
			"   8.9 s  joining ...\n" +
			"   9.9 s  CONNECTED\n"
		if out.String() != want {
			t.Errorf("shown:\n%s\nwant:\n%s", out.String(), want)
		}
	})
}

func TestScreenTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := newScreen(&out, true)
		s.doing("looking")
		time.Sleep(300 * time.Millisecond)
		s.step("found %s", s.quote("caf\u00e9\x1b[2J\u202e"))
		want := "\r\x1b[K   0.0 s  looking ...\r\x1b[K   0.2 s  looking ...\r\x1b[K" +
			"\r\x1b[K   0.3 s  found \"caf\u00e9\\x1b[2J\\u202e\"\n"
		if out.String() != want {
			t.Errorf("shown:\n%q\nwant:\n%q", out.String(), want)
		}
	})
}
