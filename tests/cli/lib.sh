# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of the command share. A test file sources it, defines functions test_... and ends
# in run_tests; each function runs in a fresh folder with an SQLite queue of its own.
set -u

dray=$DRAY_BIN/dray
top=$(mktemp -d)
failures=0
checks=0
out='' err='' status=0
children=()
unset DRAY_CONFIG QUEUE_DRIVER

leave() {
    for pid in ${children[@]+"${children[@]}"}; do
        kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$top"
}
trap leave EXIT

# complain TEXT...: counts a failure and says where.
complain() {
    failures=$((failures + 1))
    printf '%s:%s: %s: %s\n' "${BASH_SOURCE[2]##*/}" "${BASH_LINENO[1]}" "${FUNCNAME[2]}" "$*"
    printf '    out: %s\n    err: %s\n' "${out:0:600}" "${err:0:600}"
}

# run STATUS ARGUMENT...: runs dray with standard input as it is; fills out, err and status.
run() {
    local expected=$1
    shift
    out=$("$dray" "$@" 2>"$top/err")
    status=$?
    err=$(cat "$top/err")
    checks=$((checks + 1))
    [ "$status" -eq "$expected" ] || complain "dray $*: status $status, not $expected"
}

# is WHAT EXPECTED
is() {
    checks=$((checks + 1))
    [ "$1" = "$2" ] || complain "'$1' is not '$2'"
}

# has TEXT PART: PART occurs in TEXT.
has() {
    checks=$((checks + 1))
    case $1 in
        *"$2"*) ;;
        *) complain "no '$2' in '${1:0:600}'" ;;
    esac
}

# has_not TEXT PART
has_not() {
    checks=$((checks + 1))
    case $1 in
        *"$2"*) complain "'$2' in '${1:0:600}'" ;;
    esac
}

# one_line TEXT: it is exactly one line.
one_line() {
    checks=$((checks + 1))
    [ -n "$1" ] && [ "$(printf '%s\n' "$1" | wc -l)" -eq 1 ] || complain "not one line: '$1'"
}

# json FILTER EXPECTED: what jq makes of the last output.
json() {
    local got
    checks=$((checks + 1))
    got=$(printf '%s\n' "$out" | jq -c "$1" 2>&1)
    [ "$got" = "$2" ] || complain "jq $1: $got, not $2"
}

# wait_until COMMAND...: until it succeeds, at most $patience (60) seconds.
wait_until() {
    local deadline=$((SECONDS + ${patience:-60}))
    checks=$((checks + 1))
    until "$@" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            complain "waited in vain: $*"
            return 1
        fi
        sleep 0.02
    done
}

# redis_serves SOCKET: the server there has read its data and takes commands. (redis-cli is content
# with any answer, also with one that says that it is still loading.)
redis_serves() {
    [ "$(redis-cli -s "$1" ping 2>/dev/null)" = PONG ]
}

# count STATE: how many jobs of the store are in it.
count() {
    "$dray" list --state "$1" --json 2>/dev/null | wc -l
}

has_count() {
    [ "$(count "$1")" -eq "$2" ]
}

# copy_program: a copy of the command, the library and the drivers that anybody may read, into
# $top/copy.
copy_program() {
    mkdir -p "$top/copy/bin" "$top/copy/lib/dray"
    cp "$dray" "$top/copy/bin/"
    cp -a "$DRAY_BIN"/../lib/libdray.so* "$top/copy/lib/"
    cp "$DRAY_DRIVER_PATH"/*.so "$top/copy/lib/dray/"
    chmod 755 "$top"
    chmod -R a+rX "$top/copy"
}

# The configuration of each test's folder. Commands run in that folder.
write_config() {
    mkdir -p var
    cat >queue.yaml <<'YAML'
queue:
  driver: sqlite
  sqlite: {path: var/queue.db}
  job: {max_attempts: 2, backoff: {strategy: none}}
  worker: {concurrency: 1, queues: [default, mail]}
handlers:
  ok: {command: ["true"]}
  fails: {command: [sh, -c, "echo no route >&2; exit 1"]}
  gives-up: {command: [sh, -c, "echo hopeless >&2; exit 65"]}
  waits: {command: [sh, -c, "touch started; until [ -e go ]; do sleep 0.02; done"]}
YAML
}

run_tests() {
    local test
    for test in $(compgen -A function test_); do
        mkdir "$top/$test"
        cd "$top/$test" || exit 1
        write_config
        "$test" </dev/null
    done
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
}
