// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command myapp is the example application of the collection: a small HTTP
// server with a PostgreSQL database behind it. Its settings, all from the
// environment, can make it misbehave the way real releases do.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	address = ":8080"
	// finishTimeout bounds the wait for requests in flight after a drain; the longest one is maxSlow.
	finishTimeout = maxSlow + 5*time.Second
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(log); err != nil {
		log.Error("cannot run", "error", err.Error())
		os.Exit(1)
	}
}

// run serves until SIGTERM or SIGINT. It returns an error when the application cannot start or stop properly.
func run(log *slog.Logger) error {
	set, err := settingsFromEnv(os.LookupEnv)
	if err != nil {
		return err
	}
	log = log.With("version", set.version, "color", set.color)
	log.Info("starting")
	if set.crash {
		return errors.New("CRASH=start: this image gives up at its start, as a release with a broken configuration does")
	}

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if set.startDelay > 0 {
		log.Info("starting slowly", "seconds", set.startDelay.Seconds())
		select {
		case <-time.After(set.startDelay):
		case <-stop.Done():
			log.Info("stopped before the start was complete")
			return nil
		}
	}

	app, err := newApplication(set, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: app.handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("listening", "address", address)

	var crash <-chan time.Time // nil, which is never, unless it is asked for
	if set.crashAfter > 0 {
		crash = time.After(set.crashAfter)
	}
	select {
	case <-crash:
		return fmt.Errorf("CRASH_AFTER: %s since the start have passed", set.crashAfter)
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	cancel() // from here on a second signal ends the process at once
	if set.drain == 0 {
		// What many applications do: the process ends, and every connection with it.
		log.Info("stopping at once", "reason", "DRAIN is not set")
		return nil
	}
	// A pod gets SIGTERM while nodes still send it new connections, so it has to go on answering for a while.
	log.Info("draining", "seconds", set.drain.Seconds())
	app.draining.Store(true)
	time.Sleep(set.drain)
	ctx, done := context.WithTimeout(context.Background(), finishTimeout)
	defer done()
	if err := server.Shutdown(ctx); err != nil {
		return err
	}
	log.Info("drained")
	return nil
}
