// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	maxEntry   = 64 << 10 // bytes of a request's body
	maxNumbers = 10000    // numbers in one answer

	readOnly = "25006" // PostgreSQL's code for a write in a transaction that is read-only
)

// addEntry writes an entry once. Its number comes from the client, so that asking again after an answer that was
// lost does no harm, and a number that was acknowledged can be looked for later.
func (app *application) addEntry(w http.ResponseWriter, r *http.Request) {
	var given struct {
		Number int64   `json:"number"`
		Text   *string `json:"text"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEntry)).Decode(&given)
	if err != nil || given.Number < 1 || given.Text == nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": `give {"number": 1 or more, "text": "..."}`})
		return
	}
	// Where the number is there already nothing is inserted, and the query has no row.
	insert := fmt.Sprintf("INSERT INTO entries (number, %q) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING RETURNING id",
		app.entryColumn)
	entry := map[string]any{"number": given.Number, "text": *given.Text, "color": app.color}
	var id int64
	err = app.query(r.Context(), insert, []any{given.Number, *given.Text}, &id)
	if err == nil {
		entry["id"] = id
		answer(w, http.StatusCreated, entry)
		return
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		app.writeError(w, r, err)
		return
	}
	var text string
	if err := app.query(r.Context(), app.selectEntry(), []any{given.Number}, &id, &text); err != nil {
		app.databaseError(w, r, err)
		return
	}
	if text != *given.Text {
		answer(w, http.StatusConflict, map[string]any{"error": "this number has another text", "number": given.Number})
		return
	}
	entry["id"] = id
	answer(w, http.StatusOK, entry)
}

func (app *application) entry(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": "an entry is named by a number"})
		return
	}
	var id int64
	var text string
	err = app.query(r.Context(), app.selectEntry(), []any{number}, &id, &text)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusNotFound, map[string]any{"error": "no such entry", "number": number})
	case err != nil:
		app.databaseError(w, r, err)
	default:
		answer(w, http.StatusOK, map[string]any{"number": number, "text": text, "id": id, "color": app.color})
	}
}

// entries tells which numbers are there: those above ?after=N, page by page.
func (app *application) entries(w http.ResponseWriter, r *http.Request) {
	var after int64
	if value := r.URL.Query().Get("after"); value != "" {
		var err error
		if after, err = strconv.ParseInt(value, 10, 64); err != nil {
			answer(w, http.StatusBadRequest, map[string]any{"error": "after must be a number"})
			return
		}
	}
	var count int64
	var numbers []int64
	query := `SELECT (SELECT count(*) FROM entries),
		ARRAY(SELECT number FROM entries WHERE number > $1 ORDER BY number LIMIT $2)`
	if err := app.query(r.Context(), query, []any{after, maxNumbers}, &count, &numbers); err != nil {
		app.databaseError(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"count": count, "numbers": numbers})
}

func (app *application) selectEntry() string {
	return fmt.Sprintf("SELECT id, %q FROM entries WHERE number = $1", app.entryColumn)
}

// writeError tells a database that takes no writes for the moment from one that is broken: the client is to come again.
func (app *application) writeError(w http.ResponseWriter, r *http.Request, err error) {
	if state := (*pgconn.PgError)(nil); errors.As(err, &state) && state.Code == readOnly {
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, map[string]any{"status": "read-only", "error": state.Message})
		return
	}
	app.databaseError(w, r, err)
}
