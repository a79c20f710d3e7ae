#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# with_server.sh CONFORMANCE [OPTION...]: starts a Redis server in a folder of its own, gives it the
# user that docs/deployment.md shows, plays the contract as that user, and ends the server. Whatever
# the driver does, this user must be allowed to.
set -euo pipefail

command -v redis-server >/dev/null 2>&1 || {
    echo "redis-server is not installed: apt-get install redis-server" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
}

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

socket=$folder/redis.sock
redis-server --port 0 --unixsocket "$socket" --dir "$folder" --save '' --appendonly yes \
    --daemonize no >"$folder/log" 2>&1 &
server=$!

deadline=$((SECONDS + 60))
until [ "$(redis-cli -s "$socket" ping 2>/dev/null)" = PONG ]; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$folder/log" >&2
        exit 1
    fi
    sleep 0.05
done

rule=$(sed -n 's/^ACL SETUSER dray //p' "$DRAY_SOURCE/docs/deployment.md")
[ -n "$rule" ] || { echo "docs/deployment.md shows no ACL SETUSER dray" >&2; exit 1; }
# shellcheck disable=SC2086 # the words of a command
[ "$(redis-cli -s "$socket" ACL SETUSER dray $(printf '%s' "$rule" | tr -d "'"))" = OK ]

cat >"$folder/queue.yaml" <<END
queue: {driver: redis}
connections:
  default: {path: $socket, username: dray, password: secret}
END
# The kit checks no store.
"$DRAY_BIN/dray" -c "$folder/queue.yaml" push t >/dev/null
"$DRAY_BIN/dray" -c "$folder/queue.yaml" push t --delay 1h >/dev/null
"$DRAY_BIN/dray" -c "$folder/queue.yaml" fsck >/dev/null

program=$1
shift
"$program" "$folder/queue.yaml" -o 'prefix=dray-{unique}' -o clock=host "$@"
