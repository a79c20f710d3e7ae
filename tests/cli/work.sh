#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray work: how it ends, what it tells.
. "$(dirname "$0")/lib.sh"

test_until_empty() {
    "$dray" push ok --id one >/dev/null
    "$dray" push fails --id two --queue mail >/dev/null
    run 0 work --until-empty
    has "$err" 'done: ok one'
    has "$err" 'failed: fails two on mail, attempt 1 of 2'
    has "$err" 'dead: fails two on mail, attempt 2 of 2'
    has "$err" 'no route; again at once'
    has "$err" 'stopped: 3 processed, 1 succeeded, 2 failed'
    is "$out" ''
    run 0 work --until-empty
    has "$err" 'stopped: 0 processed'
}

test_the_last_line_names_what_is_left() {
    "$dray" push ok --delay 1h >/dev/null
    "$dray" push nobody >/dev/null
    "$dray" push ok --queue mail >/dev/null
    "$dray" pause mail -q
    run 0 work --until-empty
    err=$(printf '%s\n' "$err" | tail -n 1)
    has "$err" '1 scheduled'
    has "$err" '1 parked (nobody)'
    has "$err" '1 queue paused (mail)'
    run 0 status --json
    json '.queues | map(select(.name=="default"))[0] | [.delayed,.parked,.retrying]' '[2,1,0]'
}

test_once() {
    run 4 work --once
    one_line "$err"
    "$dray" push ok --id one >/dev/null
    "$dray" push ok --id two >/dev/null
    run 0 work --once
    is "$(count ready)" 1
    "$dray" push fails --id three --priority 0 >/dev/null
    run 0 work --once
    run 1 work --once --fail-on-error
    is "$("$dray" show three --json | jq -r .state)" dead
}

test_fail_on_error() {
    "$dray" push gives-up >/dev/null
    run 1 work --until-empty --fail-on-error
    "$dray" push ok >/dev/null
    run 0 work --until-empty --fail-on-error
}

test_max_jobs_and_queues() {
    for i in 1 2 3; do "$dray" push ok --id "d$i" >/dev/null; done
    "$dray" push ok --id m1 --queue mail >/dev/null
    run 0 work --max-jobs 2 --queue mail --queue default
    has "$err" 'done: ok m1'
    has "$err" 'done: ok d1'
    has_not "$err" 'done: ok d2'
    has "$err" 'stopped: 2 processed'
    is "$(count ready)" 2
    run 0 work --until-empty --queue mail
    is "$(count ready)" 2
    run 0 work --max-jobs 2 --concurrency 2 --delay 0 --poll-interval 100ms --prefetch 1
    is "$(count ready)" 0
    run 0 work --timeout 50ms
    has "$err" 'stopped: 0 processed'
}

test_json_log() {
    "$dray" push ok --id one >/dev/null
    "$dray" push fails --id two >/dev/null
    run 0 work --until-empty --log json
    is "$err" ''
    is "$(printf '%s\n' "$out" | jq -rc .event | sort | uniq -c | awk '{print $2 $1}' | tr '\n' ' ')" \
        'job_complete1 job_dead1 job_error1 job_start3 worker_start1 worker_stop1 '
    is "$(printf '%s\n' "$out" | jq -c 'select(.event!="worker_stop") | keys_unsorted' | sort -u)" \
        '["time","event","id","type","queue","attempt","duration_ms","error","retry_in_ms"]'
    is "$(printf '%s\n' "$out" | head -n 1 | jq -c '[.event,.id,.type,.queue,.attempt]')" \
        '["worker_start",null,null,null,null]'
    is "$(printf '%s\n' "$out" | tail -n 1 | jq -c '[.event,.processed,.succeeded,.failed]')" \
        '["worker_stop",3,1,2]'
    is "$(printf '%s\n' "$out" | jq -c 'select(.event=="job_error") | [.id,.type,.queue,.attempt,.error,(.retry_in_ms|type),(.duration_ms|type)]')" \
        '["two","fails","default",1,"no route","number","number"]'
    is "$(printf '%s\n' "$out" | jq -c 'select(.event=="job_dead") | [.attempt,.error,.retry_in_ms]')" \
        '[2,"no route",null]'
    "$dray" push ok --id three >/dev/null
    run 0 work --once --log json
    is "$(printf '%s\n' "$out" | jq -rc .event | tr '\n' ' ')" \
        'worker_start job_start job_complete worker_stop '
    run 4 work --once --json
    is "$(printf '%s\n' "$out" | tail -n 1 | jq -c '[.event,.processed]')" '["worker_stop",0]'
}

test_results_are_kept_when_asked() {
    sed -i 's|^handlers:|  keep: {done: 1h}\nhandlers:\n  answers: {command: [cat, answer.json]}|' queue.yaml
    printf '{"n": 1.0}\n' >answer.json
    "$dray" push answers --id one >/dev/null
    run 0 work --until-empty -q
    is "$err" ''
    run 0 show one --json
    json .state '"done"'
    has "$out" '"result": {"n": 1.0}'
}

test_progress_on_a_terminal() {
    "$dray" push ok --id one >/dev/null
    "$dray" push gives-up --id two >/dev/null
    out=$(TERM=xterm script -qec "$dray work --until-empty" /dev/null </dev/null | tr -d '\r')
    has "$out" 'dead: gives-up two'
    has_not "$out" 'done: ok one'
    has "$out" 'stopped: 2 processed'
}

test_wrong_usage() {
    run 2 work --once --until-empty
    run 2 work --concurrency 0
    run 2 work --concurrency many
    run 2 work --max-jobs 0
    run 2 work --timeout 0
    run 2 work --poll-interval 5s
    run 2 work --poll-interval 1ms
    run 2 work --isolation fibre
    run 2 work --log xml
    run 2 work --queue 'no good' --until-empty
    run 2 work now
}

test_a_worker_on_sync_has_nothing_to_do() {
    run 2 work --driver sync --until-empty
    one_line "$err"
}

run_tests
