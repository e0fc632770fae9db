-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Wait until the other database has less than 64 kB to replay of this one's changes.
SELECT pg_temp.wait_until(
    'EXISTS (SELECT FROM pg_stat_replication
             WHERE application_name = ''bluegreen'' AND pg_wal_lsn_diff(pg_current_wal_flush_lsn(), replay_lsn) < 65536)',
    :lag_limit,
    'coalesce((SELECT ''the other database is '' || pg_size_pretty(min(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), replay_lsn)))
                      || '' behind'' FROM pg_stat_replication WHERE application_name = ''bluegreen''),
              ''the other database does not follow'')');
