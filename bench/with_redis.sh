#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# with_redis.sh PROGRAM [ARGUMENT...]: starts a Redis server in a folder of its own, runs the program
# with a configuration of that server behind its arguments (-c FILE), and ends the server. A
# benchmark starts nothing by itself; this is for tests, and for a look at a machine:
#
#     bench/with_redis.sh dray-bench --only e2e
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

# A port that nobody listens on. Between the look and the start somebody else may take it.
port=
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 20000))
    redis-server --port "$port" --bind 127.0.0.1 --dir "$folder" --save '' --appendonly no \
        --daemonize no >"$folder/log" 2>&1 &
    server=$!
    deadline=$((SECONDS + 20))
    until grep -q "Ready to accept connections" "$folder/log"; do
        kill -0 "$server" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ] || break
        sleep 0.05
    done
    kill -0 "$server" 2>/dev/null && break
    server=
done
[ -n "$server" ] || { cat "$folder/log" >&2; exit 1; }

cat >"$folder/queue.yaml" <<END
queue: {driver: redis}
connections:
  default: {url: "redis://127.0.0.1:$port/0"}
END
"$@" -c "$folder/queue.yaml"
