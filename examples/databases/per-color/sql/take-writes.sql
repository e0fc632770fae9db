-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The database `to` takes the writes, with the last row of `from`, which follows it from then on.
--
-- Which of the two has the last word is read off the subscriptions: the one that the other one follows. It alone takes
-- writes. This may have been killed at any point before: run again, it goes on, in either direction.
\connect :from
SELECT coalesce(max(subenabled::int), -1) AS from_follows FROM pg_subscription
WHERE subname = 'bluegreen' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gset
\connect :to
SELECT coalesce(max(subenabled::int), -1) AS to_follows FROM pg_subscription
WHERE subname = 'bluegreen' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gset
SELECT :from_follows < 1 AND :to_follows >= 0 AS due,
       :from_follows < 1 AND :to_follows < 0 AND NOT :'to_is_live'::boolean AS lacks_rows \gset
\if :lacks_rows
    DO $body$ BEGIN RAISE EXCEPTION 'the idle database follows nothing, so it lacks rows: sync comes first'; END $body$;
\endif
\if :due
    -- Before anybody is kept from writing: what is needed for the other direction, and the wait for one that is far behind.
    SET default_transaction_read_only = off;
    ALTER SUBSCRIPTION bluegreen ENABLE;
    \ir wait.sql
    SELECT pg_temp.wait_until('NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> ''r'')', :lag_limit,
                              '''the copy is not complete''');
    \set subscriber :from
    \set publisher :to
    \ir stop-following.sql
    \connect :from
    SET default_transaction_read_only = off;
    \ir wait.sql
    \ir wait-close.sql
    \set only '{}'
    \ir tables.sql
    \connect :to
    SET default_transaction_read_only = off;
    \set only :columns
    \ir tables.sql
    DROP PUBLICATION IF EXISTS bluegreen;
    CREATE PUBLICATION bluegreen FOR TABLE :tables;
    \connect :from
    SET default_transaction_read_only = off;
    \ir wait.sql
    \warn it follows closely
    -- Time for whoever waits for this Job to begin reading its log: the freeze must not last until then.
    SELECT pg_sleep(3);
    \ir wait-close.sql

    \warn freezing
    ALTER SYSTEM SET default_transaction_read_only = on;
    SELECT pg_reload_conf();
    -- A new session is told by a server that has told all others before: their next transactions are read-only too.
    \connect :from
    DO $body$ BEGIN ASSERT current_setting('default_transaction_read_only') = 'on', 'writes are not frozen'; END $body$;
    SET default_transaction_read_only = off;
    \ir wait.sql
    -- Transactions from before that may still write are waited for, then what they have written.
    SELECT set_config('bluegreen.frozen', clock_timestamp()::text, false);
    SELECT pg_temp.wait_until(
        'NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = ''client backend'' AND pid <> pg_backend_pid()
                     AND datname = current_database()
                     AND (backend_xid IS NOT NULL OR xact_start < current_setting(''bluegreen.frozen'')::timestamptz))',
        :freeze_limit, '''transactions from before the freeze have not ended''');
    SELECT pg_logical_emit_message(true, 'bluegreen', 'frozen');
    SELECT set_config('bluegreen.last', pg_current_wal_flush_lsn()::text, false);
    SELECT pg_temp.wait_until(
        'EXISTS (SELECT FROM pg_stat_replication WHERE application_name = ''bluegreen''
                 AND replay_lsn >= current_setting(''bluegreen.last'')::pg_lsn)',
        :freeze_limit, '''the last changes have not come over''');
    -- Sequences are not replicated. Nothing draws from them any more, so this is their end.
    SELECT coalesce(string_agg(format('setval(%L, %s)', format('%I.%I', schemaname, sequencename), last_value), ', '), '1')
        AS sequences FROM pg_sequences WHERE last_value IS NOT NULL \gset

    \connect :to
    SET default_transaction_read_only = off;
    SELECT :sequences;
    ALTER SUBSCRIPTION bluegreen DISABLE;
    -- From this statement on it is the other one that follows. Nothing has been written yet that it would have to copy.
    \connect :from
    SET default_transaction_read_only = off;
    CREATE SUBSCRIPTION bluegreen CONNECTION :'to' PUBLICATION bluegreen WITH (copy_data = false);
\endif

\connect :to
SET default_transaction_read_only = off;
ALTER SYSTEM RESET default_transaction_read_only;
SELECT pg_reload_conf();
\connect :to
DO $body$ BEGIN ASSERT current_setting('default_transaction_read_only') = 'off', 'it takes no writes'; END $body$;
