#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray retry, cancel, delete, pause, resume, purge, sweep.
. "$(dirname "$0")/lib.sh"

state_of() { "$dray" show "$1" --json | jq -r .state; }

test_retry() {
    "$dray" push fails --id one >/dev/null
    "$dray" push gives-up --id two >/dev/null
    "$dray" push ok --id three --delay 1h >/dev/null
    "$dray" work --until-empty -q
    is "$(state_of one)$(state_of two)" deaddead
    run 0 retry one three
    has "$err" '2 jobs retried'
    is "$out" ''
    is "$(state_of one)$(state_of three)" readyready
    run 0 show one --json
    json .attempts 0
    run 0 retry --all --type fails --json
    json .retried 0
    run 0 retry --all --json
    json .retried 1
    is "$(state_of two)" ready
    run 3 retry nothing
    run 3 retry nothing two
    run 2 retry
    run 2 retry --all one
    run 2 retry one --type ok
}

test_cancel() {
    "$dray" push ok --id one >/dev/null
    run 0 cancel one
    run 0 show one --json
    json '[.state,.last_error]' '["dead","cancelled"]'
    run 5 cancel one
    run 3 cancel nothing
    run 2 cancel
}

test_cancel_a_running_job() {
    # A running job is told when its lease is renewed, every third of it.
    sed -i 's|path: var/queue.db|path: var/queue.db, retry_after: 3s|' queue.yaml
    "$dray" push waits --id one >/dev/null
    "$dray" work --max-jobs 1 -q &
    local pid=$!
    children+=("$pid")
    wait_until test -e started
    run 0 cancel one
    run 0 show one
    has "$out" 'cancelled'
    wait "$pid"
    is $? 0
    is "$(state_of one)" dead
}

test_delete() {
    "$dray" push ok --id one >/dev/null
    "$dray" push ok --id two >/dev/null
    run 0 delete one two --json
    json .deleted 2
    is "$(count ready)" 0
    run 3 delete one
    "$dray" push waits --id three >/dev/null
    "$dray" work --max-jobs 1 -q &
    local pid=$!
    children+=("$pid")
    wait_until test -e started
    run 5 delete three
    run 0 delete --force three
    run 3 show three
    touch go
    wait "$pid"
}

test_pause_and_resume() {
    "$dray" push ok --queue mail --id one >/dev/null
    run 0 pause mail
    run 4 work --once --queue mail
    run 0 status --json
    json '.queues[0].paused' true
    run 0 resume mail
    run 3 resume mial
    one_line "$err"
    run 3 resume nowhere
    run 0 pause nowhere
    has "$err" 'queue nowhere never had a job'
    run 0 pause nowhere
    one_line "$err"
    run 0 resume nowhere
    run 0 pause mial
    has "$err" 'did you mean mail?'
    run 0 pause default
    has_not "$err" 'never had a job'
    run 0 resume default
    run 0 work --once --queue mail
    run 2 pause
    run 2 pause 'no good'
    one_line "$err"
}

test_purge() {
    "$dray" push ok --id one >/dev/null
    "$dray" push ok --id two --queue mail >/dev/null
    "$dray" push gives-up --id three >/dev/null
    "$dray" work --queue default --max-jobs 2 -q
    "$dray" push ok --id four >/dev/null
    run 2 purge --state dead
    has "$err" 'say --yes'
    run 2 purge --yes
    run 2 purge --state active --yes
    run 2 purge --state ded --yes
    has "$err" 'did you mean dead?'
    run 0 purge --type nothing --yes --json
    json .purged 0
    run 0 purge --state dead --yes --json
    json .purged 1
    run 0 purge --queue mail --yes
    is "$("$dray" list --json | jq -r .id)" four
}

# answer TEXT ARGUMENT...: dray on a pseudo-terminal, with somebody who answers.
answer() {
    local text=$1
    shift
    out=$(printf '%s\n' "$text" | script -qec "$dray $*" /dev/null)
    status=$?
}

test_purge_asks_on_a_terminal() {
    "$dray" push ok --id one >/dev/null
    answer n purge --state ready
    is "$status" 1
    has "$out" 'Remove 1 job (ready) for good?'
    is "$(count ready)" 1
    answer y purge --state ready --queue default
    is "$status" 0
    is "$(count ready)" 0
}

test_sweep() {
    sed -i 's|path: var/queue.db|path: var/queue.db, retry_after: 2s|' queue.yaml
    "$dray" push waits --id one >/dev/null
    "$dray" work -q &
    local pid=$!
    children+=("$pid")
    wait_until test -e started
    run 0 sweep --json
    json .swept 0
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    touch go
    swept() { [ "$("$dray" sweep --json | jq .swept)" -eq 1 ]; }
    wait_until swept
    is "$(state_of one)" ready
    run 0 show one --json
    json '[.attempts,.last_error]' '[1,"lease expired"]'
}

run_tests
