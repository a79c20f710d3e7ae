#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The words of the command line, and the exit status of every kind of bad input.
. "$(dirname "$0")/lib.sh"

verbs='push work status list show why retry cancel delete pause resume purge sweep fsck compact move export import config check doctor health drivers'

test_help() {
    run 0 -h
    for verb in $verbs 'make job'; do
        has "$out" "  $verb"
        "$dray" $verb -h >help 2>"$top/err"
        is $? 0
        has "$(cat help)" "Usage: dray $verb"
        is "$(sed -n '/^Examples:/,$p' help | wc -l)" 4
    done
    run 0 help push
    has "$out" 'Usage: dray push'
    run 0 --help
    is "$(printf '%s\n' "$out" | sed -n '/^Examples:/,$p' | wc -l)" 4
}

test_version() {
    run 0 --version
    has "$out" 'driver ABI 1'
    run 0 --version --json
    json keys '["abi","version"]'
    run 0 list --version
    has "$out" 'driver ABI 1'
}

test_colon_spellings() {
    run 4 queue:work --once
    run 0 queue:status
    run 0 make:job one
    is "$(ls jobs)" $'Makefile\none.c'
}

test_wrong_words() {
    run 2
    run 2 psuh
    has "$err" "did you mean 'push'?"
    run 2 frobnicate
    one_line "$err"
    run 2 --jsno list
    has "$err" 'did you mean --json?'
    run 2 list --json --stat ready
    is "$(printf '%s' "$err" | jq -c '.error | [.code,.file,.line]')" '["usage",null,null]'
    run 2 list --stat ready --json
    is "$(printf '%s' "$err" | jq -r .error.code)" usage
    run 2 list word
    run 2 -c
    run 2 make
    run 2 make job
    run 2 driver
    has "$err" 'driver test'
}

# Help fits a terminal of 80 columns; examples may be longer, as nobody can break them.
test_help_fits() {
    run 0 -h
    is "$(printf '%s\n' "$out" | sed '/^Examples:/,$d' | awk 'length > 80')" ''
    has "$out" '  driver test [CONFIG|DRIVER.so]'
    local verbs
    verbs=$(printf '%s\n' "$out" | sed -n '/^Verbs:/,/^$/s/^  \([a-z]\+\( driver\| job\| test\)\?\).*/\1/p')
    has "$verbs" 'make job'
    while read -r verb; do
        run 0 help $verb
        is "$(printf '%s\n' "$out" | sed '/^Examples:/,$d' | awk 'length > 80')" ''
    done <<<"$verbs"
}

test_empty_values_are_refused() {
    run 2 push ok --unique=
    has "$err" '--unique='
    run 2 push ok --queue ''
    has "$err" '--queue: the value is empty'
    run 2 list -c ''
    has "$err" '--config: the value is empty'
    run 2 --config= list
    one_line "$err"
    run 2 push --lines= jobs.jsonl
    run 2 export -o ''
    echo '{"type": "ok", "unique": ""}' >jobs.jsonl
    run 2 push --lines jobs.jsonl
    has "$err" 'jobs.jsonl:1: unique: the key is empty'
    is "$("$dray" list --json | wc -l)" 0
    run 0 push ok --unique
}

test_later_verbs() {
    for verb in 'cron list' cron:next; do
        run 2 $verb
        has "$err" 'not in this version'
        one_line "$err"
    done
    run 0 -h
    has_not "$out" cron
}

test_global_options_stand_anywhere() {
    mkdir elsewhere
    cd elsewhere || return
    run 78 list
    run 0 -c ../queue.yaml list
    run 0 list -c ../queue.yaml
    run 0 list --config=../queue.yaml
    run 0 --json push -c../queue.yaml ok
    json keys '["id"]'
    DRAY_CONFIG=../queue.yaml run 0 list
    mkdir config
    cp ../queue.yaml config/
    run 0 list
    run 78 list -c missing.yaml
    has "$err" 'dray: missing.yaml'
    one_line "$err"
}

test_the_driver_flag_beats_the_environment() {
    QUEUE_DRIVER=memory run 0 status --json
    json .driver '"memory"'
    QUEUE_DRIVER=memory run 0 status --json --driver sqlite
    json .driver '"sqlite"'
    QUEUE_DRIVER=nonsense run 78 status
    has "$err" nonsense
    run 78 status --driver nonsense
    has "$err" nonsense
    one_line "$err"
    cd /
    run 0 status --driver memory --json
    json .driver '"memory"'
}

# bad_yaml STATUS PART: the configuration on standard input is refused, by one line that begins with
# its place.
bad_yaml() {
    cat >bad.yaml
    run 78 list -c bad.yaml
    one_line "$err"
    checks=$((checks + 1))
    [[ $err =~ ^[^:]*bad.yaml:[0-9]+: ]] || complain "no place in '$err'"
    has "$err" "$1"
    run 78 list -c bad.yaml --json
    is "$(printf '%s' "$err" | jq -c '.error | [(.file|endswith("bad.yaml")), (.line|type)]')" \
        '[true,"number"]'
    run 78 check -c bad.yaml
    run 78 health -c bad.yaml
}

test_bad_configurations() {
    bad_yaml '' <<<'queue: {driver: sqlite'
    bad_yaml 'driver' <<<'queue: {drvier: sqlite}'
    bad_yaml 'concurrency' <<<'queue: {driver: sqlite, worker: {concurrency: many}}'
    bad_yaml 'pfad' <<<'queue: {driver: sqlite, sqlite: {pfad: x.db}}'
    : >empty.yaml
    run 78 list -c empty.yaml
    mkdir folder.yaml
    run 78 list -c folder.yaml
    cat >command.yaml <<'Y'
queue: {driver: sqlite, sqlite: {path: var/queue.db}}
handlers:
  lost: {command: [no-such-program-anywhere]}
Y
    run 78 work --once -c command.yaml
    has "$err" no-such-program-anywhere
    has "$err" command.yaml:3
}

# as_nobody ARGUMENT...: the copied dray without root's rights.
as_nobody() {
    local drop=()
    [ "$(id -u)" -ne 0 ] || drop=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    out=$(DRAY_DRIVER_PATH=$top/copy/lib/dray ${drop[@]+"${drop[@]}"} "$top/copy/bin/dray" "$@" \
        2>"$top/err")
    status=$?
    err=$(cat "$top/err")
}

test_what_may_not_be_read_or_written() {
    copy_program
    "$dray" push ok >/dev/null
    chmod -R a-w .
    chmod a+rx . var
    chmod a+r queue.yaml var/*
    as_nobody push ok
    is "$status" 77
    one_line "$err"
    has "$err" queue.db
    chmod 000 queue.yaml
    as_nobody list
    is "$status" 77
    one_line "$err"
    has "$err" queue.yaml
    chmod -R u+rwX .
}

test_somebody_elses_database() {
    sqlite3 var/queue.db 'create table customers(name); insert into customers values (1)'
    run 78 push ok
    has "$err" queue.db
    one_line "$err"
    is "$(sqlite3 var/queue.db .tables | xargs)" customers
}

test_a_file_that_is_no_database() {
    head -c 5000 /dev/zero | tr '\0' x >var/queue.db
    run 78 push ok
    has "$err" queue.db
    one_line "$err"
}

test_names_are_checked() {
    run 3 show 'a b'
    run 2 pause '/'
    run 2 work --once --queue ''
}

# A pipe in packet mode keeps writes apart: workers that share a log must not mix their lines.
test_a_line_is_one_write() {
    checks=$((checks + 1))
    python3 - "$dray" <<'PY' || complain 'a line came in pieces'
import os, subprocess, sys
into, out = os.pipe2(os.O_DIRECT)
dray = subprocess.Popen([sys.argv[1], "frobnicate"], stderr=out)
line = os.read(into, 4096)
os.close(into)
dray.wait()
sys.exit(not (line.startswith(b"dray: unknown verb") and line.endswith(b"\n")))
PY
}

test_nothing_to_open() {
    cat >gone.yaml <<'Y'
queue:
  driver: sqlite
  sqlite: {path: /proc/nowhere/queue.db}
Y
    out=$("$dray" push ok -c gone.yaml 2>"$top/err")
    status=$?
    err=$(cat "$top/err")
    one_line "$err"
    case $status in
        74 | 77 | 78) ;;
        *) complain "status $status" ;;
    esac
}

run_tests
