-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The database of BG_COLOR gets all rows of the other one, which is live, and follows it from then on.
\ir databases.sql

-- An interrupted hand-over may have left the writes here.
\ir give-back.sql

\connect :from
\set only '{}'
\ir tables.sql
SELECT coalesce(string_agg(format('%I.%I (%s)', schemaname, tablename,
                                  (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)
                                   FROM unnest(attnames) WITH ORDINALITY AS columns(name, place))),
                           ', ' ORDER BY schemaname, tablename), '') AS published
FROM pg_publication_tables WHERE pubname = 'bluegreen' \gset

\connect :to
SELECT count(*) > 0 AND :'tables' = :'published' AS follows FROM pg_subscription
WHERE subname = 'bluegreen' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gset
\if :follows
    SET default_transaction_read_only = off;
    ALTER SUBSCRIPTION bluegreen ENABLE;
    \warn it follows already
\else
    \set subscriber :to
    \set publisher :from
    \ir stop-following.sql
    \connect :from
    SET default_transaction_read_only = off;
    DROP PUBLICATION IF EXISTS bluegreen;
    CREATE PUBLICATION bluegreen FOR TABLE :tables;
    \connect :to
    SET default_transaction_read_only = off;
    -- What replication writes is not kept out by this; what anybody else writes here would be in its way.
    ALTER SYSTEM SET default_transaction_read_only = on;
    SELECT pg_reload_conf();
    TRUNCATE :names;
    CREATE SUBSCRIPTION bluegreen CONNECTION :'from' PUBLICATION bluegreen;
    \warn copying
\endif

-- The copy may take as long as the Job.
\connect :to
SET default_transaction_read_only = off;
\ir wait.sql
SELECT pg_temp.wait_until('NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> ''r'')', 1000000000,
                          '(SELECT count(*) FILTER (WHERE srsubstate = ''r'') || '' of '' || count(*)
                            || '' tables are copied'' FROM pg_subscription_rel)');
\connect :from
SET default_transaction_read_only = off;
\ir wait.sql
\ir wait-close.sql
\warn it follows closely
