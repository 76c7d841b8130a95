package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// task is a part of the daemon that runs as long as the daemon does.
type task struct {
	name string
	run  func(context.Context) error
}

// runTasks runs all tasks until ctx ends, or until one of them cannot go on, which the
// error names.
func runTasks(ctx context.Context, tasks []task) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		group.Go(func() error {
			if err := t.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
