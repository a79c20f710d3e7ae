#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real servers, as people set them up: what the command makes of each, by every way to reach it, as
# the user of docs/deployment.md and with config/redis.yaml as it is shipped.
. "$DRAY_SOURCE/tests/cli/lib.sh"

command -v redis-server >/dev/null 2>&1 || {
    echo "redis-server is not installed: apt-get install redis-server" >&2
    [ -z "${CI:-}" ] || exit 1
    exit 77
}

socket='' port=''

# start_server [OPTION...]: on a socket and a free port, with the user that the page gives. The one
# before is ended.
start_server() {
    local rule try
    stop_server
    socket=$PWD/redis.sock
    for try in 1 2 3 4 5 6 7 8 9; do
        port=$((20000 + (RANDOM + 7919 * try) % 40000))
        redis-server --port "$port" --unixsocket "$socket" --dir "$PWD" --save '' \
            --daemonize no "$@" >server.log 2>&1 &
        children+=($!)
        until redis_serves "$socket"; do
            kill -0 "${children[-1]}" 2>/dev/null || continue 2 # the port is taken
            sleep 0.02
        done
        rule=$(sed -n 's/^ACL SETUSER dray //p' "$DRAY_SOURCE/docs/deployment.md" | tr -d "'")
        # shellcheck disable=SC2086 # the words of a command
        server ACL SETUSER dray $rule
        return
    done
    complain "no server: $(tail -n 3 server.log)"
}

stop_server() {
    [ -z "${children[*]-}" ] && return
    { kill -KILL "${children[-1]}" && wait "${children[-1]}"; } 2>/dev/null
    unset 'children[-1]'
}

# server COMMAND...: what the server answers, which must not be an error.
server() {
    answer=$(redis-cli -s "$socket" "$@" 2>&1)
    checks=$((checks + 1))
    case $answer in
        *ERR* | *NOPERM* | *WRONG*) complain "$*: $answer" ;;
    esac
}

# connect TEXT [OPTIONS]: the configuration, with that between the braces of the connection and of
# the driver's section.
connect() {
    cat >queue.yaml <<END
queue:
  driver: redis
  redis: {${2:-durability: volatile}}
connections:
  default: {$1}
handlers:
  ok: {command: ["true"]}
  fails: {command: ["false"], max_attempts: 1}
END
    chmod 600 queue.yaml
}

as_user() {
    connect "path: $socket, username: dray, password: secret" "$@"
}

# refused STATUS PART: one line that says so, whatever is asked; and nothing was changed.
refused() {
    local verb before
    before=$(redis-cli -s "$socket" dbsize 2>/dev/null)
    for verb in 'push ok' status 'work --until-empty'; do
        # shellcheck disable=SC2086 # the words of a command
        run "$1" $verb
        one_line "$err"
        has "$err" "$2"
    done
    is "$(redis-cli -s "$socket" dbsize 2>/dev/null)" "$before"
}

# ---- servers that are unfit ----

test_eviction() {
    local policy
    start_server
    as_user
    for policy in allkeys-lru volatile-ttl allkeys-random; do
        server CONFIG SET maxmemory-policy "$policy"
        refused 78 "maxmemory-policy is $policy"
        has "$err" 'set it to noeviction'
    done
}

test_replica() {
    start_server
    as_user
    server REPLICAOF 127.0.0.1 1
    refused 78 'is a replica'
    has "$err" 'name the master'
    server REPLICAOF NO ONE
    run 0 push ok
}

test_cluster() {
    start_server --cluster-enabled yes
    as_user
    refused 78 'a cluster, which is not supported yet'
    has "$err" 'name a single server'
}

test_tls() {
    start_server
    connect "url: 'rediss://127.0.0.1:$port'"
    refused 78 'TLS is not supported yet'
    has "$err" 'tunnel'
    connect "url: 'redis://127.0.0.1:$port', tls: true"
    refused 78 'TLS is not supported yet'
}

test_absent() {
    start_server
    stop_server
    as_user
    refused 69 'is the server running'
    connect "url: 'redis://127.0.0.1:$port'"
    refused 69 'Connection refused; is the server running'
}

test_durability() {
    start_server
    as_user 'retry_after: 90s'
    run 0 push ok
    one_line "$err"
    has "$err" 'durability is volatile'
    has "$err" 'set appendonly yes'
    as_user 'durability: process'
    refused 78 'the server gives volatile; set appendonly yes'
    start_server --appendonly yes
    as_user 'retry_after: 90s'
    run 0 push ok
    is "$err" ''
    as_user 'durability: host'
    refused 78 'appendfsync always'
    as_user 'durability: replicated'
    refused 78 'not supported by redis yet'
    server CONFIG SET appendfsync always
    # The page says it: without config|get the driver cannot see that.
    server ACL SETUSER dray -config
    as_user 'durability: host'
    run 78 push ok
    server ACL SETUSER dray '+config|get'
    run 0 push ok
    is "$err" ''
}

test_password_off_loopback() {
    start_server --bind 0.0.0.0 --protected-mode no
    connect "url: 'redis://0.0.0.0:$port'"
    run 0 push ok
    one_line "$err"
    has "$err" 'without a password'
    has "$err" 'give the server a user'
    connect "url: 'redis://dray:secret@0.0.0.0:$port'"
    run 0 push ok
    is "$err" ''
    connect "url: 'redis://127.0.0.1:$port'"
    run 0 push ok
    is "$err" ''
}

# ---- ways to a server ----

test_logins() {
    start_server
    echo secret >password
    echo wrong >other
    chmod 600 password other
    connect "url: 'redis://dray@127.0.0.1:$port', password_file: $PWD/password"
    run 0 push ok
    connect "url: 'redis://dray@127.0.0.1:$port', password_file: $PWD/other"
    refused 77 'refuses the login'
    has "$err" 'check username and password'
    connect "path: $socket, username: nobody, password: secret"
    refused 77 'refuses the login'
    server ACL SETUSER default resetpass '>open'
    connect "path: $socket"
    refused 77 'give a password'
    connect "path: $socket, password: open"
    run 0 push ok
    connect "path: $socket, username: dray, password: secret"
    run 0 work --until-empty
    has "$err" 'stopped: 2 processed, 2 succeeded'
}

test_too_few_rights() {
    start_server
    as_user
    server ACL SETUSER dray -evalsha
    run 77 push ok
    one_line "$err"
    has "$err" 'docs/deployment.md'
    server ACL SETUSER dray +evalsha resetkeys '~other*'
    refused 77 'docs/deployment.md'
}

test_databases() {
    start_server
    connect "url: 'unix://$socket', database: 15"
    run 0 push ok --id there
    connect "url: 'redis://127.0.0.1:$port/15'"
    run 0 show there
    connect "url: 'redis://127.0.0.1:$port/16'"
    refused 78 'database'
    connect "path: $socket, database: jobs"
    refused 78 'database'
}

test_socket_path() {
    connect "path: $PWD/$(printf 'x%.0s' {1..120})"
    run 78 push ok
    one_line "$err"
    has "$err" 'path of a socket'
}

# ---- keys that are not ours ----

test_keys_of_others() {
    start_server
    as_user
    server SET '{dray}:layout' 3
    refused 78 'layout 2; update it'
    server DEL '{dray}:layout'
    server RPUSH '{dray}:layout' theirs
    refused 78 'another prefix'
    is "$(redis-cli -s "$socket" LRANGE '{dray}:layout' 0 -1)" theirs
    as_user 'durability: volatile, prefix: dray-2'
    run 0 push ok
}

# ---- the least that a user needs, and the configuration that is shipped ----

test_verbs_as_that_user() {
    start_server --appendonly yes --appendfsync always
    as_user 'durability: host'
    "$dray" push ok --id one >/dev/null
    "$dray" push fails --id two >/dev/null
    "$dray" push ok --id later --delay 1h >/dev/null
    run 0 status
    run 0 pause default
    run 0 resume default
    run 0 work --until-empty
    has "$err" 'stopped: 2 processed, 1 succeeded, 1 failed'
    run 0 show two
    run 0 retry two
    run 0 cancel later
    run 0 list --state dead
    run 0 delete later
    run 0 sweep
    run 0 work --until-empty
    run 0 purge --state dead --yes
    run 0 status --reset
    run 0 doctor
    run 0 fsck
    # It may not do more than that.
    for command in randomkey flushall 'config set appendonly no' 'get other' 'eval 1 0'; do
        # shellcheck disable=SC2086 # the words of a command
        has "$(redis-cli -s "$socket" --user dray --pass secret --no-auth-warning $command 2>&1)" NOPERM
    done
}

test_shipped_configuration() {
    local url
    start_server --appendonly yes
    mkdir config
    cp "$DRAY_SOURCE/config/redis.yaml" config/queue.yaml
    rm queue.yaml
    for url in "redis://127.0.0.1:$port/0" "redis://dray:secret@localhost:$port" "unix://$socket"; do
        export REDIS_URL=$url
        run 0 check
        run 0 push hello '{"n": 1}'
        run 0 work --until-empty
        has "$err" 'stopped: 1 processed, 1 succeeded'
        run 0 status
    done
    printf 'REDIS_URL=unix://%s\n' "$socket" >config/.env
    unset REDIS_URL
    run 0 push hello
    is "$(redis-cli -s "$socket" HLEN '{dray:default}:jobs')" 1
}

run_tests
