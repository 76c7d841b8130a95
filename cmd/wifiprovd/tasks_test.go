package main

import (
	"context"
	"errors"
	"testing"
)

func TestErrorNamesItsTask(t *testing.T) {
	lost := errors.New("the connection to the message bus is lost")
	err := runTasks(t.Context(), []task{
		{"bluetooth", func(context.Context) error { return lost }},
		{"wifi", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	})
	if !errors.Is(err, lost) || err.Error() != "bluetooth: "+lost.Error() {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := runTasks(ctx, []task{{"wifi", func(ctx context.Context) error { return ctx.Err() }}}); err != nil {
		t.Errorf("told to end: %v", err)
	}
}
