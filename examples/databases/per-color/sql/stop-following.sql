-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- `subscriber` does not follow `publisher` any more. Also where only a part of what that needs is there.
\connect :subscriber
SET default_transaction_read_only = off;
SELECT count(*) > 0 AS there FROM pg_subscription
WHERE subname = 'bluegreen' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gset
\if :there
    ALTER SUBSCRIPTION bluegreen DISABLE;
    ALTER SUBSCRIPTION bluegreen SET (slot_name = NONE);
    DROP SUBSCRIPTION bluegreen;
\endif
\connect :publisher
SET default_transaction_read_only = off;
\ir wait.sql
SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'bluegreen' AND active;
SELECT pg_temp.wait_until('NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ''bluegreen'' AND active)', 10,
                          '''the replication slot is still in use''');
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'bluegreen';
