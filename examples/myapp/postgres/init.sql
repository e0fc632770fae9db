-- Copyright (c) 2026, the bluegreen.kubernetes authors
-- GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later

CREATE TABLE users (
    name  text PRIMARY KEY,
    email text NOT NULL
);
INSERT INTO users (name, email) VALUES ('test-user', 'test-user@example.com');
