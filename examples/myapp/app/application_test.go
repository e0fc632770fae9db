// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := env[name]; return value, ok }
}

func newApp(t *testing.T, env map[string]string) *application {
	t.Helper()
	set, err := settingsFromEnv(lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	app, err := newApplication(set, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func get(t *testing.T, env map[string]string, paths ...string) []*httptest.ResponseRecorder {
	t.Helper()
	app := newApp(t, env)
	app.started = app.started.Add(-5 * time.Second)
	handler := app.handler()
	var answers []*httptest.ResponseRecorder
	for _, path := range paths {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		answers = append(answers, recorder)
	}
	return answers
}

func TestAnswersOfADrainingApplicationCloseTheirConnection(t *testing.T) {
	app := newApp(t, map[string]string{"VERSION": "2.0", "COLOR": "green"})
	handler := app.handler()
	for _, draining := range []bool{false, true} {
		app.draining.Store(draining)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest("GET", "/api/status", nil))
		if closes := recorder.Header().Get("Connection") == "close"; closes != draining {
			t.Errorf("draining %v, but the answer closes its connection: %v", draining, closes)
		}
	}
}

func TestAnswers(t *testing.T) {
	colour := map[string]string{"VERSION": "2.0", "COLOR": "green"}
	with := func(name, value string) map[string]string {
		return map[string]string{"VERSION": "2.0", "COLOR": "green", name: value}
	}
	for _, test := range []struct {
		name string
		env  map[string]string
		path string
		code int
		text string
	}{
		{"health", colour, "/health", 200, `"status":"ok"`},
		{"status", colour, "/api/status", 200, `"color":"green"`},
		{"version", colour, "/api/status", 200, `"version":"2.0"`},
		{"another version reported", with("REPORT_VERSION", "0.9"), "/api/status", 200, `"version":"0.9"`},
		{"never ready", with("NEVER_READY", "true"), "/health", 503, "NEVER_READY"},
		{"health has turned bad", with("UNHEALTHY_AFTER", "4"), "/health", 503, "4s since the start"},
		{"the API has begun to fail", with("FAIL_AFTER", "4"), "/api/status", 500, "FAIL_AFTER: 4s since the start"},
		{"the API will fail", with("FAIL_AFTER", "60"), "/api/status", 200, `"version":`},
		{"health is fine while the API fails", with("FAIL_AFTER", "4"), "/health", 200, `"status":"ok"`},
		{"health will turn bad", with("UNHEALTHY_AFTER", "60"), "/health", 200, `"status":"ok"`},
		{"a bad health is the probe's only", with("NEVER_READY", "true"), "/api/status", 200, `"version":"2.0"`},
		{"no database set", colour, "/api/db-check", 500, "DATABASE_URL is not set"},
		{"database away", with("DATABASE_URL", "postgres://u:secret@127.0.0.1:1/d"), "/api/db-check", 500, "connection refused"},
		{"user, database away", with("DATABASE_URL", "postgres://u:secret@127.0.0.1:1/d"), "/api/users/test-user", 500, "connection refused"},
		{"entries, database away", with("DATABASE_URL", "postgres://u:secret@127.0.0.1:1/d"), "/api/entries", 500, "connection refused"},
		{"entries after what is no number", colour, "/api/entries?after=x", 400, "after must be"},
		{"entry, no number", colour, "/api/entries/x", 400, "a number"},
		{"slow", colour, "/slow?seconds=0.01", 200, `"version":"2.0"`},
		{"too slow", colour, "/slow?seconds=31", 400, "0 to 30"},
		{"slow without a number", colour, "/slow", 400, "0 to 30"},
		{"unknown path", colour, "/nothing", 404, "not found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := get(t, test.env, test.path)[0]
			body := answer.Body.String()
			if answer.Code != test.code || !strings.Contains(body, test.text) {
				t.Errorf("GET %s: %d %s; want %d and %s", test.path, answer.Code, body, test.code, test.text)
			}
			if strings.Contains(body, "secret") {
				t.Errorf("the password is in the answer: %s", body)
			}
		})
	}
}

func TestMetricsCountUsersRequestsOnly(t *testing.T) {
	env := map[string]string{"VERSION": "2.0", "COLOR": "green"}
	answers := get(t, env, "/health", "/api/status", "/api/status", "/api/db-check", "/metrics")
	metrics := answers[len(answers)-1].Body.String()
	for _, line := range []string{
		`http_requests_total{code="200",color="green",version="2.0"} 2`,
		`http_requests_total{code="500",color="green",version="2.0"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %q in\n%s", line, metrics)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"DRAIN": "soon", "START_DELAY": "-1", "UNHEALTHY_AFTER": "NaN", "FAIL_AFTER": "-2", "CRASH_AFTER": "soon",
		"NEVER_READY": "maybe", "CRASH": "later", "ENTRY_COLUMN": "text; DROP",
	} {
		_, err := settingsFromEnv(lookup(map[string]string{name: value}))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: error is %v; want one that names both", name, value, err)
		}
	}
}
