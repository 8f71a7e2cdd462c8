// Command api serves bookings of meeting rooms over HTTP.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/rooms/internal/config"
	"example.com/rooms/internal/cursor"
	"example.com/rooms/internal/httpapi"
	"example.com/rooms/internal/ratelimit"
	"example.com/rooms/internal/store"
)

// version is set by the linker.
var version = "dev"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println("api", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, nil)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run serves until the context ends, then lets running requests finish. It sends its address to ready, if given.
func run(ctx context.Context, getenv func(string) string, ready chan<- string) error {
	settings, err := config.Read(getenv)
	if err != nil {
		return err
	}
	s, err := store.Open(settings.Journal)
	if err != nil {
		return err
	}
	defer s.Close()
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails; cursors do not outlive the process
	server := &http.Server{
		Handler:           httpapi.New(s, cursor.NewSigner(key), ratelimit.New(settings.Rate, settings.Burst, nil), log),
		ReadHeaderTimeout: 5 * time.Second,
	}
	log.Info("serving", "address", listener.Addr().String(), "version", version)
	if ready != nil {
		ready <- listener.Addr().String()
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), settings.Shutdown)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("requests still ran after %s: %w", settings.Shutdown, err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
