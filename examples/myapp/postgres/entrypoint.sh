#!/bin/sh
# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs PostgreSQL in a container; /data is its volume. On the first start it makes a database cluster there, in it the
# user $POSTGRES_USER with the password $POSTGRES_PASSWORD and the database $POSTGRES_DB, and runs /init.sql.
set -eu
export PGDATA=/data/postgres
for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || { echo "cannot start: the environment variable $name is not set" >&2; exit 1; }
done
umask 077

if [ ! -d "$PGDATA" ]; then
    # Built under another name and moved when complete: a start that was interrupted is simply done again.
    new=$PGDATA.new
    rm -rf "$new"
    printf '%s\n' "$POSTGRES_PASSWORD" > "$PGDATA.password"
    initdb --pgdata="$new" --username="$POSTGRES_USER" --pwfile="$PGDATA.password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    rm "$PGDATA.password"
    echo "host all all all scram-sha-256" >> "$new/pg_hba.conf"
    pg_ctl --pgdata="$new" --wait start --options="-c listen_addresses='' -c unix_socket_directories=/data"
    export PGHOST=/data PGUSER="$POSTGRES_USER" PGPASSWORD="$POSTGRES_PASSWORD"
    createdb "$POSTGRES_DB"
    psql --quiet --set=ON_ERROR_STOP=1 --dbname="$POSTGRES_DB" --file=/init.sql
    pg_ctl --pgdata="$new" --wait stop
    unset PGHOST PGUSER PGPASSWORD
    mv "$new" "$PGDATA"
fi
# wal_level: so that another database can follow this one (docs/databases.md, per_color).
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/data -c wal_level=logical
