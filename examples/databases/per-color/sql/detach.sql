-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

-- Nothing follows the database of BG_COLOR any more, so it keeps no changes for the other one, which can be removed.
\ir databases.sql
\set subscriber :from
\set publisher :to
\ir stop-following.sql
DROP PUBLICATION IF EXISTS bluegreen;
