#!/bin/sh
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Smoke tests of myapp:  BG_VERSION=2.0 smoke-tests.sh URL
# Exits with 0 when all pass. With BG_VERSION unset, any version will do.
set -u
[ $# -eq 1 ] || { echo "usage: BG_VERSION=VERSION $0 URL" >&2; exit 2; }
url=${1%/}
failed=0

# check NAME PATH TEXT: passes when the answer's status is 200 and TEXT is in its body.
check() {
    # --max-time: a test without a limit hangs with the application. The status comes last, on a line of its own.
    answer=$(curl --silent --show-error --max-time 10 --write-out '\n%{http_code}' "$url$2" 2>&1)
    status=$(printf '%s' "$answer" | tail -n 1)
    body=$(printf '%s' "$answer" | sed '$d' | head -c 300)
    case "$status:$body" in
        200:*"$3"*) echo "ok      $1" ;;
        *) echo "FAILED  $1: $url$2 answered $status $body, expected 200 with $3"; failed=1 ;;
    esac
}

check "health" /health '"status":"ok"'
check "version" /api/status "\"version\":\"${BG_VERSION:+$BG_VERSION\"}"
check "database" /api/db-check '"status":"ok"'
check "test user" /api/users/test-user '"name":"test-user"'
exit $failed
