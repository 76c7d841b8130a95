package journal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// NewLogger returns a logger that writes from level on: to the journal with
// fields when standard error is connected to it, else as text to w. An attribute
// key becomes the field WIFIPROVD_KEY.
func NewLogger(level slog.Level, w io.Writer) *slog.Logger {
	text := slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == messageID {
				return slog.Attr{}
			}
			return a
		},
	})
	if ok, err := journal.StderrIsJournalStream(); err != nil || !ok {
		return slog.New(text)
	}
	return slog.New(&journalHandler{level: level, fallback: text})
}

// journalHandler sends records to journald by its native protocol
// (systemd, JOURNAL_NATIVE_PROTOCOL).
type journalHandler struct {
	level    slog.Level
	attrs    []slog.Attr
	fallback slog.Handler
}

func (h *journalHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	fields := map[string]string{"SYSLOG_IDENTIFIER": "wifiprovd"}
	message := r.Message
	add := func(a slog.Attr) bool {
		value := a.Value.Resolve().String()
		switch a.Key {
		case messageID:
			fields["MESSAGE_ID"] = value
			return true
		case "err":
			message += ": " + value
		}
		fields["WIFIPROVD_"+strings.ToUpper(a.Key)] = value
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	if err := journal.Send(message, priority(r.Level), fields); err != nil {
		fmt.Fprintf(os.Stderr, "the journal does not answer: %v\n", err)
		return h.fallback.Handle(ctx, r)
	}
	return nil
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	c.fallback = h.fallback.WithAttrs(attrs)
	return &c
}

// WithGroup keeps the keys flat: a journal field has no groups.
func (h *journalHandler) WithGroup(string) slog.Handler { return h }

func priority(level slog.Level) journal.Priority {
	switch {
	case level >= slog.LevelError:
		return journal.PriErr
	case level >= slog.LevelWarn:
		return journal.PriWarning
	case level >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}
