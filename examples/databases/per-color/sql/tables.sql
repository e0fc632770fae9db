-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Sets for this database: `tables`, each with its columns, as CREATE PUBLICATION takes them; `names`, without the columns;
-- `columns`, all as a list. If `only` is such a list of the other database: just what both have, or it cannot be replicated.
SELECT string_agg(format('%s (%s)', name, columns), ', ' ORDER BY name) AS tables, string_agg(name, ', ') AS names
FROM (SELECT format('%I.%I', nspname, relname) AS name, string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
      WHERE relkind = 'r' AND relpersistence = 'p' AND nspname <> 'information_schema' AND nspname !~ '^pg_'
      AND (:'only' = '{}' OR format('%I.%I.%I', nspname, relname, attname) = ANY (:'only'))
      GROUP BY 1) AS listed \gset
SELECT array_agg(format('%I.%I.%I', nspname, relname, attname)) AS columns
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
WHERE relkind = 'r' AND relpersistence = 'p' AND nspname <> 'information_schema' AND nspname !~ '^pg_' \gset
