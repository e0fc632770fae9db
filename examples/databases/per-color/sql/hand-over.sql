-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- The database of BG_COLOR takes the writes, with the last row of the other one, which follows it from then on.
\ir databases.sql
\ir take-writes.sql
\warn handed over
-- What it followed by until now, and the changes that are kept for that.
\set subscriber :to
\set publisher :from
\ir stop-following.sql
