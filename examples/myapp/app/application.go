// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	maxSlow      = 30 * time.Second
	queryTimeout = 8 * time.Second
)

type application struct {
	settings
	log      *slog.Logger
	host     string
	started  time.Time
	turned   sync.Once     // logs once that the health has turned bad
	draining atomic.Bool   // every answer closes its connection, so that clients open their next one elsewhere
	database *pgxpool.Pool // nil without DATABASE_URL
	registry *prometheus.Registry
	requests *prometheus.CounterVec
}

// newApplication prepares the handlers. It does not connect to the database: the first query does,
// so the application starts, and says what is wrong, while PostgreSQL is not there yet.
func newApplication(set settings, log *slog.Logger) (*application, error) {
	app := &application{settings: set, log: log, started: time.Now(), registry: prometheus.NewRegistry()}
	var err error
	if app.host, err = os.Hostname(); err != nil {
		return nil, err
	}
	app.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total",
		Help: "Requests answered, without those of /health and /metrics.",
	}, []string{"code", "version", "color"})
	if err := app.registry.Register(app.requests); err != nil {
		return nil, err
	}
	if set.databaseURL != "" {
		config, err := pgxpool.ParseConfig(set.databaseURL)
		if err != nil {
			return nil, fmt.Errorf("DATABASE_URL: %w", err) // pgx leaves the password out of its message
		}
		config.MaxConns = 4 // a handful of pods must not use up PostgreSQL's 100 connections
		config.ConnConfig.ConnectTimeout = queryTimeout
		if app.database, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
			return nil, err
		}
	}
	return app, nil
}

// handler is the whole HTTP interface. Requests of probes and scrapes are not counted:
// http_requests_total is to show what the application's users got.
func (app *application) handler() http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /api/status", app.status)
	api.HandleFunc("GET /api/db-check", app.dbCheck)
	api.HandleFunc("GET /api/users/{name}", app.user)
	api.HandleFunc("POST /api/entries", app.addEntry)
	api.HandleFunc("GET /api/entries", app.entries)
	api.HandleFunc("GET /api/entries/{number}", app.entry)
	api.HandleFunc("/slow", app.slow)
	counter := app.requests.MustCurryWith(prometheus.Labels{"version": app.reportVersion, "color": app.color})

	all := http.NewServeMux()
	all.HandleFunc("GET /health", app.health)
	all.Handle("GET /metrics", promhttp.HandlerFor(app.registry, promhttp.HandlerOpts{}))
	all.Handle("/", promhttp.InstrumentHandlerCounter(counter, app.failing(api)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all.ServeHTTP(closing{w, &app.draining}, r)
	})
}

// closing tells the client with the answer that its connection ends, once the application drains. A connection that is
// closed without a word may be closed while the client's next request is on its way; a POST is lost then.
type closing struct {
	http.ResponseWriter
	draining *atomic.Bool
}

func (w closing) WriteHeader(status int) {
	if w.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

// health is asked by the readiness probe and says nothing about the database: all pods of both colours share it,
// so one hiccup there would take every pod out of the Service at the same moment. /api/db-check tells about it.
func (app *application) health(w http.ResponseWriter, _ *http.Request) {
	switch {
	case app.neverReady:
		app.unhealthy(w, "NEVER_READY is set")
	case app.unhealthyAfter > 0 && time.Since(app.started) >= app.unhealthyAfter:
		app.unhealthy(w, fmt.Sprintf("UNHEALTHY_AFTER: %s since the start have passed", app.unhealthyAfter))
	default:
		answer(w, http.StatusOK, map[string]any{"status": "ok"})
	}
}

// failing lets everything fail once FAIL_AFTER is over: an error that shows itself only under use, while /health is fine.
func (app *application) failing(handler http.Handler) http.Handler {
	if app.failAfter == 0 {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Since(app.started) < app.failAfter {
			handler.ServeHTTP(w, r)
			return
		}
		reason := fmt.Sprintf("FAIL_AFTER: %s since the start have passed", app.failAfter)
		answer(w, http.StatusInternalServerError, map[string]any{"status": "error", "error": reason})
	})
}

func (app *application) unhealthy(w http.ResponseWriter, reason string) {
	app.turned.Do(func() { app.log.Error("unhealthy", "reason", reason) })
	answer(w, http.StatusServiceUnavailable, map[string]any{"status": "unhealthy", "reason": reason})
}

func (app *application) identity() map[string]any {
	return map[string]any{"version": app.reportVersion, "color": app.color, "host": app.host}
}

func (app *application) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, app.identity())
}

// slow answers like status after ?seconds=N (0 to 30): a request that is in flight while something else happens.
func (app *application) slow(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	if err != nil || !(seconds >= 0 && seconds <= maxSlow.Seconds()) {
		answer(w, http.StatusBadRequest, map[string]any{"error": "seconds must be a number from 0 to 30"})
		return
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		answer(w, http.StatusOK, app.identity())
	case <-r.Context().Done(): // the client has gone
	}
}

func (app *application) dbCheck(w http.ResponseWriter, r *http.Request) {
	table := "users"
	if app.breakDB {
		table = "users_of_the_next_schema" // what a release whose migration was forgotten runs into
	}
	var server string
	var users int
	query := "SELECT current_setting('server_version'), count(*) FROM " + table
	if err := app.query(r.Context(), query, nil, &server, &users); err != nil {
		app.databaseError(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok", "server": server, "users": users})
}

func (app *application) user(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var email string
	err := app.query(r.Context(), "SELECT email FROM users WHERE name = $1", []any{name}, &email)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusNotFound, map[string]any{"error": "no such user", "name": name})
	case err != nil:
		app.databaseError(w, r, err)
	default:
		answer(w, http.StatusOK, map[string]any{"name": name, "email": email})
	}
}

func (app *application) query(ctx context.Context, sql string, args []any, row ...any) error {
	if app.database == nil {
		return errors.New("DATABASE_URL is not set")
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return app.database.QueryRow(ctx, sql, args...).Scan(row...)
}

func (app *application) databaseError(w http.ResponseWriter, r *http.Request, err error) {
	reason := strings.Join(strings.Fields(err.Error()), " ") // pgx spreads it over several lines
	app.log.Error("database query failed", "path", r.URL.Path, "error", reason)
	answer(w, http.StatusInternalServerError, map[string]any{"status": "error", "error": reason})
}

func answer(w http.ResponseWriter, code int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A write error means that the client has gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}
