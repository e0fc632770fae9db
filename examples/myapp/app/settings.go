// Copyright (c) 2026, the bluegreen.kubernetes authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"strconv"
	"time"
)

// settings is how the application is to behave. The zero value of everything below entryColumn is good behaviour.
type settings struct {
	version     string
	color       string
	databaseURL string
	entryColumn string // where the text of an entry is read and written: the schema that this version expects

	startDelay     time.Duration // nothing listens before
	unhealthyAfter time.Duration // /health answers 503 from then on; 0 = never
	failAfter      time.Duration // /api/ answers 500 from then on; 0 = never
	crashAfter     time.Duration // the process ends then; 0 = never
	drain          time.Duration // on SIGTERM, serve on for so long; 0 = stop at once
	reportVersion  string        // what /api/status claims to be
	crash          bool          // give up at the start
	neverReady     bool          // /health always answers 503
	breakDB        bool          // /api/db-check queries a table that is not there
}

// settingsFromEnv reads the settings; an error names the variable and what it accepts.
func settingsFromEnv(lookup func(string) (string, bool)) (settings, error) {
	get := func(name, otherwise string) string {
		if value, ok := lookup(name); ok && value != "" {
			return value
		}
		return otherwise
	}
	set := settings{
		version:     get("VERSION", "dev"),
		color:       get("COLOR", ""),
		databaseURL: get("DATABASE_URL", ""),
	}
	set.reportVersion = get("REPORT_VERSION", set.version)
	for name, target := range map[string]*time.Duration{
		"START_DELAY": &set.startDelay, "UNHEALTHY_AFTER": &set.unhealthyAfter, "DRAIN": &set.drain,
		"FAIL_AFTER": &set.failAfter, "CRASH_AFTER": &set.crashAfter,
	} {
		seconds, err := strconv.ParseFloat(get(name, "0"), 64)
		if err != nil || !(seconds >= 0 && seconds <= 86400) {
			return set, fmt.Errorf("%s=%q: give a number of seconds from 0 to 86400", name, get(name, ""))
		}
		*target = time.Duration(seconds * float64(time.Second))
	}
	for name, target := range map[string]*bool{"NEVER_READY": &set.neverReady, "BREAK_DB": &set.breakDB} {
		value, err := strconv.ParseBool(get(name, "false"))
		if err != nil {
			return set, fmt.Errorf("%s=%q: give true or false", name, get(name, ""))
		}
		*target = value
	}
	switch value := get("ENTRY_COLUMN", "text"); value {
	case "text", "message":
		set.entryColumn = value
	default:
		return set, fmt.Errorf("ENTRY_COLUMN=%q: the choices are text and message", value)
	}
	switch value := get("CRASH", ""); value {
	case "":
	case "start":
		set.crash = true
	default:
		return set, fmt.Errorf("CRASH=%q: the only choice is start", value)
	}
	return set, nil
}
