#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What docs/deployment.md shows works as it stands there: the server's configuration, the
# connections, and the unit for systemd. (The users are proven by connections.sh, with_server.sh and
# test_sentinel.c.)
. "$DRAY_SOURCE/tests/cli/lib.sh"

command -v redis-server >/dev/null 2>&1 || {
    echo "redis-server is not installed: apt-get install redis-server" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
}

# block LINE: the block of the page that has a line which begins so.
block() {
    awk -v line="$1" '
        /^```/ { if (within && found) exit; within = !within; found = 0; text = ""; next }
        within { text = text $0 "\n"; if (index($0, line) == 1) found = 1 }
        END { if (found) printf "%s", text }' "$DRAY_SOURCE/docs/deployment.md"
}

# start_server FILE: as it is configured there, but for the place.
start_server() {
    redis-server "$1" --port 0 --unixsocket "$PWD/redis.sock" --dir "$PWD" --daemonize no \
        >server.log 2>&1 &
    children+=($!)
    wait_until redis_serves redis.sock || tail -n 5 server.log
}

test_server() {
    block '# redis.conf' >redis.conf
    has "$(cat redis.conf)" 'appendonly yes'
    start_server redis.conf
    cat >queue.yaml <<END
queue: {driver: redis, redis: {durability: host}}
connections: {default: {path: $PWD/redis.sock}}
handlers: {ok: {command: ["true"]}}
END
    run 0 push ok
    is "$err" ''
    # A master that has lost its replica takes no jobs, and loses none.
    block 'min-replicas-to-write' >>redis.conf
    kill -KILL "${children[-1]}"
    rm -f redis.sock
    start_server redis.conf
    run 69 push ok
    one_line "$err"
    has "$err" 'NOREPLICAS'
    redis-cli -s redis.sock CONFIG SET min-replicas-to-write 0 >/dev/null
    run 0 work --until-empty
    has "$err" 'stopped: 1 processed, 1 succeeded'
}

test_connections() {
    local line
    echo secret >password
    chmod 600 password
    for line in '  default: {url: "redis://dray@' '    sentinels:'; do
        {
            echo 'queue: {driver: redis}'
            block "$line" | sed "s|/etc/dray/redis-password|$PWD/password|"
        } >queue.yaml
        run 0 config
        has "$out" 'connections.default.password_file'
    done
}

test_unit() {
    local words
    block '[Unit]' >worker@.service
    # The application that the unit serves, and a user that is there.
    mkdir -p srv/config
    printf 'queue: {driver: sqlite, sqlite: {path: var/queue.db}}\nhandlers: {ok: {command: ["true"]}}\n' \
        >srv/config/queue.yaml
    sed -i "s|/usr/local/bin|$DRAY_BIN|; s|/srv/myapp|$PWD/srv|; s|=myapp|=root|" worker@.service
    words=$(sed -n "s|^ExecStart=$DRAY_BIN/dray ||p" worker@.service)
    cd srv || return
    run 0 -c config/queue.yaml push ok
    # shellcheck disable=SC2086 # the words of a command
    run 0 $words --until-empty
    has "$err" 'stopped: 1 processed, 1 succeeded'
    run 0 -c config/queue.yaml health -q
    cd .. || return
    if command -v systemd-analyze >/dev/null 2>&1; then
        cp worker@.service worker@1.service
        out=$(systemd-analyze verify --man=no "$PWD/worker@1.service" 2>&1)
        checks=$((checks + 1))
        [ -z "$out" ] || complain "systemd-analyze: $out"
    fi
}

run_tests
