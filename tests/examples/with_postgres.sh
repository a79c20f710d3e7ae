#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# with_postgres.sh COMMAND...: starts a PostgreSQL server in a folder of its own, runs the command
# with PGHOST, PGUSER, PGDATABASE set to it and PGFOLDER, PGSERVER to its folder and process, and
# ends the server. It listens on a socket in that folder alone, and does not wait for the disk; where
# memory that looks like a disk has room for it, it does not even use one.
set -euo pipefail

bin=$(command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1 || true)
[ -n "$bin" ] || {
    echo "no PostgreSQL server is installed: apt-get install postgresql" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
}
bin=$(dirname "$(readlink -f "$bin")")

room=$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)
if [ "${room:-0}" -gt 524288 ] && [ -w /dev/shm ]; then
    folder=$(mktemp -d -p /dev/shm)
else
    folder=$(mktemp -d)
fi
server=
finish() {
    # Interrupted, the server ends its sessions and stops.
    [ -z "$server" ] || { kill -INT "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# It refuses to run as root.
as_user=()
if [ "$(id -u)" -eq 0 ]; then
    user=$(id -un postgres 2>/dev/null || echo nobody)
    as_user=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
    chown "$user" "$folder"
fi
cd "$folder"
"${as_user[@]}" "$bin/initdb" -D "$folder/data" -U dray -A trust -E UTF8 --no-locale --no-sync \
    >"$folder.log" 2>&1 || { cat "$folder.log" >&2; rm -f "$folder.log"; exit 1; }
rm -f "$folder.log"

export PGHOST=$folder PGUSER=dray PGDATABASE=postgres PGFOLDER=$folder
settings=(-c listen_addresses= -c "unix_socket_directories=$folder" -c fsync=off
    -c max_connections=50 -c shared_buffers=32MB -c autovacuum_naptime=10s)
"${as_user[@]}" "$bin/postgres" -D "$folder/data" "${settings[@]}" >"$folder/data/log" 2>&1 &
server=$!
export PGSERVER=$server

deadline=$((SECONDS + 60))
until "$bin/pg_isready" -q; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$folder/data/log" >&2
        exit 1
    fi
    sleep 0.05
done
cd /
"$@"
