#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Signals to a running dray work.
. "$(dirname "$0")/lib.sh"

# start ARGUMENT...: a worker in the background; its id into $worker. What an earlier one told is
# forgotten.
start() {
    : >worker.out
    : >worker.err
    "$dray" work "$@" >>worker.out 2>>worker.err &
    worker=$!
    children+=("$worker")
}

# state WORD: asks the worker for its state, and finds WORD in what it has told so far.
state() {
    kill -USR1 "$worker"
    told "state: $1"
}

told() { grep -q "$1" worker.err worker.out; }

test_term_drains() {
    "$dray" push waits --id one >/dev/null
    "$dray" push ok --id two >/dev/null
    start
    wait_until test -e started
    kill -TERM "$worker"
    wait_until state 'stopping'
    touch go
    wait "$worker"
    is $? 0
    wait_until told 'done: waits one'
    told 'stopped: 1 processed, 1 succeeded' || complain "$(cat worker.err)"
    is "$("$dray" list --json | jq -c '[.id,.state,.attempts]')" '["two","ready",0]'
}

test_int_on_an_idle_worker() {
    start --log json
    wait_until told worker_start
    kill -INT "$worker"
    wait "$worker"
    is $? 0
    is "$(tail -n 1 worker.out | jq -r .event)" worker_stop
}

test_a_second_signal_ends_at_once() {
    "$dray" push waits --id one >/dev/null
    start
    wait_until test -e started
    kill -TERM "$worker"
    wait_until state 'stopping'
    kill -TERM "$worker"
    wait "$worker"
    is $? 143
    touch go
    rm started go
    "$dray" push waits --id two --queue mail >/dev/null
    start --queue mail
    wait_until test -e started
    kill -INT "$worker"
    wait_until state 'stopping'
    kill -INT "$worker"
    wait "$worker"
    is $? 130
    touch go
}

test_hold_and_go_on() {
    start
    wait_until told 'started:'
    kill -TSTP "$worker"
    wait_until state 'on hold'
    "$dray" push ok --id one >/dev/null
    : >worker.err
    wait_until state 'on hold'
    is "$(count ready)" 1
    kill -CONT "$worker"
    wait_until has_count ready 0
    kill -TERM "$worker"
    wait "$worker"
    is $? 0
}

test_usr1_as_json() {
    start --log json
    wait_until told worker_start
    consuming() { kill -USR1 "$worker" && told '"state": "consuming"'; }
    wait_until consuming
    out=$(grep '"state": "consuming"' worker.out | head -n 1)
    json '[.event,.state,.running,.processed]' '["worker_state","consuming",0,0]'
    kill -TERM "$worker"
    wait "$worker"
    is $? 0
}

test_handlers_that_outlast_the_shutdown_timeout() {
    "$dray" push waits --id one >/dev/null
    start --shutdown-timeout 200ms
    wait_until test -e started
    kill -TERM "$worker"
    wait "$worker"
    is $? 0
    told 'stopped: 1 processed' || complain "$(cat worker.err)"
    touch go
}

is_gone() {
    ! kill -0 "$1"
}

# What a command has started ends with a worker that is killed, also when it is stopped, and heeds
# no signal.
test_a_killed_worker_takes_all_along() {
    local stopped worker pid
    cat >>queue.yaml <<'Y'
  family: {command: [sh, -c, "trap '' TERM HUP; sleep 1000 & echo $! $$ >pids.new; mv pids.new pids; wait; wait"]}
Y
    for stopped in no yes; do
        rm -f pids
        "$dray" push family >/dev/null
        "$dray" work -q 2>/dev/null &
        worker=$!
        children+=("$worker")
        wait_until test -e pids
        [ "$stopped" = no ] || kill -STOP $(cat pids)
        kill -KILL "$worker"
        wait "$worker" 2>/dev/null
        for pid in $(cat pids); do
            wait_until is_gone "$pid"
        done
        "$dray" purge --state ready --yes -q
        "$dray" delete --force "$("$dray" list --json | jq -r .id)" -q
    done
}

run_tests
