#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Jobs that go from sqlite by way of file and redis back to sqlite are what they were.
. "$DRAY_SOURCE/tests/cli/lib.sh"

command -v redis-server >/dev/null 2>&1 || {
    echo "redis-server is not installed: apt-get install redis-server" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
}

start_server() {
    redis-server --port 0 --unixsocket "$top/redis.sock" --dir "$top" --save '' --daemonize no \
        >"$top/log" 2>&1 &
    children+=($!)
    wait_until redis_serves "$top/redis.sock"
}

configure() {
    sed -i 's/^queue:/queue:\n  keep: {done: 1h}/; s/strategy: none/strategy: fixed, base: 1h/' \
        queue.yaml
    sed 's/sqlite: .*/file: {path: var\/queue.jsonl}/; s/sqlite/file/' queue.yaml >file.yaml
    sed 's/sqlite: .*/redis: {}/; s/sqlite/redis/' queue.yaml >redis.yaml
    printf 'connections:\n  default: {path: %s}\n' "$top/redis.sock" >>redis.yaml
    sed 's/queue\.db/back.db/' queue.yaml >back.yaml
}

sorted_list() {
    "$dray" list --json "$@" | sort
}

test_all_the_way_round() {
    start_server
    configure
    "$dray" push fails --id again --queue mail >/dev/null
    "$dray" push gives-up --id dead --queue mail >/dev/null
    "$dray" push ok --id done --queue mail '[1e400, 18446744073709551617]' >/dev/null
    "$dray" push waits --id taken --queue mail >/dev/null
    "$dray" work --queue mail -q 2>/dev/null &
    children+=($!)
    wait_until test -e started
    "$dray" push ok '{"n":  1e400}' --id later --delay 1h --unique=key --group g --name 'ä "b"' \
        --priority 2 --timeout 3s --max-attempts 9 >/dev/null
    printf ' {"b" :\n"\x7f"} ' >payload
    "$dray" push ok "$(cat payload)" --id odd --priority 9 >/dev/null
    wait_until has_count done 1
    # The worker dies, and what it held comes as it was held.
    kill -KILL "${children[-1]}"
    run 0 export -o first
    is "$(sed '1d;$d' first | jq -r .state | sort -u | tr '\n' ' ')" \
        'active dead delayed done ready '
    run 0 import -c file.yaml first
    before=$(sorted_list -c file.yaml)
    is "$(printf '%s\n' "$before" | jq -c 'select(.id == "taken") | [.state,.attempts]')" \
        '["ready",1]'
    "$dray" export -c file.yaml | "$dray" import -c redis.yaml -q
    is "$(sorted_list -c redis.yaml)" "$before"
    "$dray" export -c redis.yaml | "$dray" import -c back.yaml -q
    is "$(sorted_list -c back.yaml)" "$before"
    # Fences too, which no list shows: they go on rising.
    is "$("$dray" export -c back.yaml | sed 1d | sort)" "$("$dray" export -c file.yaml | sed 1d | sort)"
    "$dray" export -c redis.yaml | "$dray" import -c redis.yaml --json >again
    is "$(jq -c '[.imported,.skipped]' again)" '[0,6]'
    touch go
}

run_tests
