-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- When a hand-over to the database of a color that is not live has failed: the live one takes the writes again.
\if :{?to}
\else
    \ir databases.sql
\endif
\if :to_is_live
\else
    \set idle :to
    \set to :from
    \set from :idle
    \set to_is_live true
    \ir take-writes.sql
    \warn the live database takes the writes
    \set subscriber :to
    \set publisher :from
    \ir stop-following.sql
    \set from :to
    \set to :idle
    \set to_is_live false
\endif
