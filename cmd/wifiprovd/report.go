package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// reportRuntime logs at each SIGUSR1 what the process holds, for whoever looks
// for a leak. Only root can send it. It returns when ctx ends.
func reportRuntime(ctx context.Context, log *slog.Logger) error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	defer signal.Stop(asked)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-asked:
			var memory runtime.MemStats
			runtime.GC() // what is left is in use
			runtime.ReadMemStats(&memory)
			goroutines := runtime.NumGoroutine()
			log.Info(fmt.Sprintf("runtime: %d goroutines, %d bytes in use", goroutines, memory.HeapAlloc),
				"event", "runtime", "goroutines", goroutines, "heap", memory.HeapAlloc)
		}
	}
}
