#!/usr/bin/env bash
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The blue-green release that people write with kubectl: kubectl-release.sh NAMESPACE VERSION [SECONDS BEFORE THE SCALE DOWN]
#
# The idle color is tested through a Service of its own. Just after the rollout that Service still leads to old pods,
# or to none, for up to a second; so the tests are repeated, and none of them may take long.
set -euo pipefail
namespace=$1 version=$2 pause=${3:-0}

k() { kubectl --namespace "$namespace" "$@"; }
ask() { curl --silent --fail --max-time 2 "$url$1"; }

live=$(k get service myapp --output jsonpath='{.spec.selector.version}')
[ "$live" = blue ] && idle=green || idle=blue

k scale "deployment/app-$idle" --replicas=3
k set image "deployment/app-$idle" "app=myapp:$version"
k rollout status "deployment/app-$idle" --timeout=300s

url=http://$(k get service "app-$idle" --output jsonpath='{.spec.clusterIP}')
passed=no
for _ in {1..40}; do
    if ask /health >/dev/null &&
        ask /api/status | grep --quiet "\"version\": *\"$version\"" &&
        ask /api/db-check >/dev/null &&
        ask /api/users/test-user | grep --quiet '"name": *"test-user"'; then
        passed=yes
        break
    fi
    sleep 0.25
done
if [ "$passed" = no ]; then
    echo "the smoke tests of $idle failed; $live stays live" >&2
    exit 1
fi

k patch service myapp --patch "{\"spec\":{\"selector\":{\"version\":\"$idle\"}}}"
[ "$pause" = 0 ] || sleep "$pause"
k scale "deployment/app-$live" --replicas=1
