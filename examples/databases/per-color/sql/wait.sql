-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Waiting is done in the server: it looks every 10 ms, and says every 5 s what is missing. Both texts are expressions.
CREATE FUNCTION pg_temp.wait_until(condition text, seconds int, missing text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  began timestamptz := clock_timestamp();
  said timestamptz := began;
  holds boolean;
  what text;
BEGIN
  LOOP
    PERFORM pg_stat_clear_snapshot();
    EXECUTE 'SELECT ' || condition INTO holds;
    EXIT WHEN holds;
    IF clock_timestamp() > said + interval '5 s' OR clock_timestamp() > began + seconds * interval '1 s' THEN
      said := clock_timestamp();
      EXECUTE 'SELECT ' || missing INTO what;
      IF said > began + seconds * interval '1 s' THEN
        RAISE EXCEPTION '% after % s', what, seconds;
      END IF;
      RAISE INFO '%', what;
    END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
END $body$;
