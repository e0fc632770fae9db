-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- For psql 15 or newer. `to` is the database of BG_COLOR, `from` the other one.
\set ON_ERROR_STOP 1
\set VERBOSITY terse
\o /dev/null
\setenv PGOPTIONS '-c client_min_messages=warning -c lock_timeout=10s'
\getenv to TO_URL
\getenv from FROM_URL
\getenv lag_limit LAG_LIMIT
\getenv freeze_limit FREEZE_LIMIT
\getenv color BG_COLOR
\getenv active_color BG_ACTIVE_COLOR
\setenv PGAPPNAME bluegreen-job
SELECT :'color' = :'active_color' AS to_is_live \gset

-- A Job that was killed may have left a statement that is still being executed: nothing of it may come later than this.
\connect :from
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE application_name = 'bluegreen-job' AND pid <> pg_backend_pid();
\connect :to
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE application_name = 'bluegreen-job' AND pid <> pg_backend_pid();
