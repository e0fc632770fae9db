// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func post(t *testing.T, env map[string]string, body string) *httptest.ResponseRecorder {
	t.Helper()
	set, err := settingsFromEnv(lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	app, err := newApplication(set, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if app.database != nil {
		defer app.database.Close()
	}
	recorder := httptest.NewRecorder()
	app.handler().ServeHTTP(recorder, httptest.NewRequest("POST", "/api/entries", strings.NewReader(body)))
	return recorder
}

func TestEntriesThatAreRefused(t *testing.T) {
	for _, body := range []string{"", "{", `{"number": 0, "text": "a"}`, `{"number": 1}`, `{"number": "1", "text": "a"}`,
		fmt.Sprintf(`{"number": 1, "text": "%s"}`, strings.Repeat("a", maxEntry))} {
		if answer := post(t, nil, body); answer.Code != 400 {
			t.Errorf("POST %.40q: %d %s; want 400", body, answer.Code, answer.Body)
		}
	}
}

func TestEntryWithoutADatabase(t *testing.T) {
	env := map[string]string{"DATABASE_URL": "postgres://u:secret@127.0.0.1:1/d"}
	answer := post(t, env, `{"number": 1, "text": "a"}`)
	if body := answer.Body.String(); answer.Code != 500 || strings.Contains(body, "secret") {
		t.Errorf("%d %s; want 500 without the password", answer.Code, body)
	}
}

// TestEntries needs a PostgreSQL of its own with init.sql in it: TEST_DATABASE_URL. It leaves the entries 1 to 3 there.
func TestEntries(t *testing.T) {
	url := os.Getenv("TEST_DATABASE_URL")
	if url == "" {
		t.Skip("TEST_DATABASE_URL is not set")
	}
	env := map[string]string{"DATABASE_URL": url}
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	frozen := map[string]string{"DATABASE_URL": url + separator + "default_transaction_read_only=on"}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "DELETE FROM entries"); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		env  map[string]string
		body string
		code int
		text string
	}{
		{env, `{"number": 1, "text": "a"}`, 201, `"number":1`},
		{env, `{"number": 1, "text": "a"}`, 200, `"number":1`},
		{env, `{"number": 1, "text": "b"}`, 409, "another text"},
		{env, `{"number": 3, "text": "c"}`, 201, `"text":"c"`},
		{frozen, `{"number": 2, "text": "b"}`, 503, "read-only"},
		{env, `{"number": 2, "text": "b"}`, 201, `"number":2`},
	} {
		answer := post(t, test.env, test.body)
		if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.text) {
			t.Errorf("POST %s: %d %s; want %d and %s", test.body, answer.Code, answer.Body, test.code, test.text)
		}
		if retry := answer.Header().Get("Retry-After"); (test.code == 503) != (retry != "") {
			t.Errorf("POST %s: %d with Retry-After %q", test.body, answer.Code, retry)
		}
	}
	answers := get(t, env, "/api/entries", "/api/entries?after=2", "/api/entries/3", "/api/entries/4")
	for n, want := range []string{`"count":3,"numbers":[1,2,3]`, `"count":3,"numbers":[3]`, `"text":"c"`, "no such entry"} {
		if body := answers[n].Body.String(); !strings.Contains(body, want) {
			t.Errorf("answer %d: %s; want %s", n, body, want)
		}
	}
	if answers[3].Code != 404 {
		t.Errorf("an entry that is not there: %d; want 404", answers[3].Code)
	}
	ahead := map[string]string{"DATABASE_URL": url, "ENTRY_COLUMN": "message"}
	if answer := get(t, ahead, "/api/entries/1")[0]; answer.Code != 500 || !strings.Contains(answer.Body.String(), "message") {
		t.Errorf("a column that is not there: %d %s; want 500", answer.Code, answer.Body)
	}
}
