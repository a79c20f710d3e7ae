#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray status, list, show, why: JSON keys, tables, tab-separated lines, what terminals see.
. "$(dirname "$0")/lib.sh"

job_keys='["id","queue","type","state","priority","attempts","releases","max_attempts","timeout_ms","created_at","run_at","lease_until","ended_at","owner","unique_key","group","last_error","payload","result","progress","name"]'

# on_terminal ARGUMENT...: dray on a pseudo-terminal; fills out, without carriage returns.
on_terminal() {
    out=$(TERM=xterm script -qec "$dray $*" /dev/null </dev/null | tr -d '\r')
    err=''
}

test_status_keys() {
    run 0 status --json
    json 'keys_unsorted' '["driver","queues","totals","by_type","success_rate","failure_rate","average_processing_time_ms"]'
    json '[.driver,.success_rate,.failure_rate,.average_processing_time_ms]' \
        '["sqlite",null,null,null]'
    "$dray" push ok >/dev/null
    "$dray" push ok --delay 1h >/dev/null
    "$dray" push gives-up --queue mail >/dev/null
    "$dray" work --until-empty -q
    run 0 status --json
    json '.queues[0] | keys_unsorted' '["name","ready","delayed","retrying","parked","active","dead","done","paused"]'
    json '.totals | keys_unsorted' '["pushed","completed","failed","retried","dead"]'
    json '.by_type.ok | keys_unsorted' '["queued","completed","failed","dead"]'
    json '.totals' '{"pushed":3,"completed":1,"failed":1,"retried":0,"dead":1}'
    json '.by_type.ok' '{"queued":2,"completed":1,"failed":0,"dead":0}'
    json '[.success_rate,.failure_rate]' '[0.5,0.5]'
    json '.queues | map(select(.name=="default"))[0] | [.ready,.delayed,.retrying,.parked,.dead,.paused]' '[0,1,0,0,0,false]'
    json '.queues | map(select(.name=="mail"))[0] | .dead' 1
}

test_status_for_people_and_programs() {
    "$dray" push ok --queue mail >/dev/null
    "$dray" pause mail -q
    run 0 status
    has "$out" $'queue\tmail\t1\t0\t0\t0\t0\t0\t0\tyes'
    has "$out" $'type\tok\t1\t0\t0\t0'
    has "$out" $'total\tpushed\t1'
    has_not "$out" $'\033'
    on_terminal status
    has "$out" QUEUE
    has "$out" '1 pushed'
    run 0 status --queue mail --json
    json '.queues | length' 1
}

test_status_reset() {
    "$dray" push ok >/dev/null
    run 0 status --reset --json
    json .totals.pushed 1
    run 0 status --json
    json .totals.pushed 0
    json '.queues[0].ready' 1
}

test_status_watch() {
    "$dray" status --watch=50ms --json >watched &
    local pid=$!
    children+=("$pid")
    wait_until test -s watched
    wait_until eval '[ "$(wc -l <watched)" -ge 3 ]'
    kill -TERM "$pid"
    wait "$pid"
    is $? 143
    run 2 status --watch=often
    run 2 status --watch --reset
}

test_private_drivers_say_so() {
    run 0 status --driver memory
    has "$err" 'process alone'
    run 0 status --driver memory --json -q
    is "$err" ''
    json .driver '"memory"'
}

test_list_and_show_keys() {
    "$dray" push ok '{"a":[1]}' --id one >/dev/null
    run 0 list --json
    json keys_unsorted "$job_keys"
    run 0 show one --json
    json keys_unsorted "$job_keys"
    json '[.state,.max_attempts,.timeout_ms,.lease_until,.ended_at,.owner]' \
        '["ready",null,null,null,null,null]'
    json '.created_at | test("^20[0-9-]+T[0-9:]+[.][0-9]{3}Z$")' true
}

test_list_filters() {
    "$dray" push ok --id a >/dev/null
    "$dray" push fails --id b --queue mail >/dev/null
    "$dray" push ok --id c --delay 1h >/dev/null
    ids() { "$dray" list --json "$@" | jq -r .id | sort | tr '\n' ' '; }
    is "$(ids)" 'a b c '
    is "$(ids --state ready)" 'a b '
    is "$(ids --state ready --state delayed)" 'a b c '
    is "$(ids --state ready,delayed --type ok)" 'a c '
    is "$(ids --queue mail)" 'b '
    is "$(ids --since 1h)" 'a b c '
    is "$(ids --since "$(date -u -d +1day +%FT%TZ)")" ''
    is "$("$dray" list --limit 2 --json | wc -l)" 2
    run 2 list --state reday
    has "$err" 'did you mean ready?'
    run 2 list --state ready,
    run 2 list --since yesterday
    run 2 list --limit 0
}

test_list_for_people_and_programs() {
    "$dray" push fails --id one >/dev/null
    "$dray" push ok --id two --delay 1h >/dev/null
    "$dray" work --until-empty -q
    run 0 list --state dead
    has "$out" $'one\tdefault\tfails\tdead\t'
    has "$out" '2/'
    has "$out" 'no route'
    is "$(printf '%s\n' "$out" | awk -F'\t' '{print NF}')" 7
    on_terminal list --state delayed
    has "$out" 'LAST ERROR'
    has "$out" 'in 59m'
    has_not "$out" $'\t'
}

test_terminals_are_safe() {
    "$dray" push ok "{\"a\":\"$(printf '\302\233')31m\"}" --id one --delay 1h >/dev/null
    printf '%s\n' '#!/bin/sh' "printf '\\033[31mred\\n' >&2; exit 65" >red.sh
    chmod +x red.sh
    printf '  red: {command: [./red.sh]}\n' >>queue.yaml
    "$dray" push red --id two >/dev/null
    "$dray" work --until-empty -q
    on_terminal show one
    has "$out" '\xc2\x9b31m'
    on_terminal show two
    has "$out" 'red'
    has_not "$out" $'\033[31m'
    on_terminal show two --json
    has_not "$out" $'\033[31m'
    NO_COLOR=1 on_terminal list --state dead
    has_not "$out" $'\033'
    run 0 list --state dead
    has_not "$out" $'\033'
    "$dray" push ok "{\"a\":\"$(printf '\302\233')31m\"}" --id three >/dev/null
    run 0 show three --json
    has_not "$out" "$(printf '\302\233')"
    json .payload.a "\"$(printf '\302\233')31m\""
}

test_why() {
    "$dray" push ok --id one >/dev/null
    run 0 why one
    has "$out" 'nobody consumes'
    one_line "$out"
    "$dray" pause default -q
    run 0 why one
    has "$out" 'paused'
    "$dray" resume default -q
    "$dray" push ok --id two --delay 1h >/dev/null
    run 0 why two
    has "$out" 'scheduled'
    "$dray" push gives-up --id three >/dev/null
    "$dray" push nobody --id four >/dev/null
    "$dray" work --until-empty -q
    run 0 why three
    has "$out" 'dead after 1 attempt: hopeless'
    run 0 why four
    has "$out" 'no handler'
    run 0 why four --json
    json 'keys_unsorted' '["id","state","why"]'
    run 3 why nothing
}

says_gone() {
    "$dray" why "$1" 2>/dev/null | grep -q 'is gone'
}

test_why_a_job_of_a_killed_worker() {
    sed -i 's|queue.db}|queue.db, retry_after: 1s}|' queue.yaml
    "$dray" push waits --id held >/dev/null
    "$dray" work -q &
    children+=($!)
    wait_until test -e started
    run 0 why held
    has "$out" 'is running'
    kill -KILL "${children[-1]}"
    wait "${children[-1]}" 2>/dev/null
    wait_until says_gone held
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        run 0 why held
        has "$out" 'is gone'
    done
}

test_what_is_not_there() {
    run 3 show nothing
    one_line "$err"
    run 3 show nothing --json
    is "$(printf '%s' "$err" | jq -r .error.code)" 'not found'
    run 2 show
    run 2 show a b
    "$dray" push ok --id twin >/dev/null
    "$dray" push ok --id twin --queue mail >/dev/null
    run 5 show twin
    has "$err" default
    has "$err" mail
    run 0 show twin --queue mail
}

test_queues_that_are_not_there() {
    run 0 list --queue default
    run 3 list --queue mail
    "$dray" push ok --queue mail --delay 1h >/dev/null
    run 0 list --queue mail --state dead
    run 0 status --queue mail
    run 3 status --queue mial
    has "$err" 'did you mean mail?'
    one_line "$err"
    run 3 purge --queue mial --yes
    run 3 sweep --queue mial
    run 3 retry --all --queue mial
    run 3 list --queue 'a b'
}

test_output_that_cannot_be_written() {
    [ -w /dev/full ] || return
    "$dray" push ok >/dev/null
    "$dray" list >/dev/full 2>"$top/err"
    is $? 74
    err=$(cat "$top/err")
    one_line "$err"
    # A job that is pushed is not lost with the line that should have named it.
    "$dray" push ok --id kept >/dev/full 2>"$top/err"
    is $? 74
    err=$(cat "$top/err")
    one_line "$err"
    has "$err" 'job kept was pushed all the same'
    printf '{"type": "ok", "id": "a"}\n{"type": "ok", "id": "b"}\n' |
        "$dray" push --lines >/dev/full 2>"$top/err"
    has "$(cat "$top/err")" 'all 2 jobs were pushed, the first is a'
}

run_tests
