#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray move.
. "$(dirname "$0")/lib.sh"

# to_file: file.yaml, the same handlers on the file driver.
to_file() {
    sed 's/driver: sqlite/driver: file/; s/sqlite: {path: .*}/file: {path: var\/queue.jsonl}/' \
        queue.yaml >file.yaml
}

move() {
    local expected=$1
    shift
    run "$expected" move --from queue.yaml --to file.yaml "$@"
}

list_of() {
    "$dray" list -c "$1" --json | sort
}

test_everything_goes() {
    sed -i 's/^queue:/queue:\n  keep: {done: 1h}/' queue.yaml
    to_file
    "$dray" push ok --id later --delay 1h --unique=key --group g --name 'a "name"' --priority 2 \
        --timeout 3s --max-attempts 9 >/dev/null
    "$dray" push gives-up --id dead --queue mail >/dev/null
    "$dray" push ok --id done --queue mail >/dev/null
    "$dray" work --queue mail --until-empty -q 2>/dev/null
    "$dray" push ok ' {"n" :1e400}' --id odd --queue mail >/dev/null
    before=$(list_of queue.yaml)
    move 0 --dry-run --json
    json . '{"moved":4,"there":0,"refused":0,"gone":0,"running":0,"left":0,"dry_run":true}'
    is "$(list_of queue.yaml)" "$before"
    is "$(list_of file.yaml)" ''
    is "$("$dray" status --json | jq -c '[.queues[].paused]')" '[false,false]'
    move 0 --json
    json . '{"moved":4,"there":0,"refused":0,"gone":0,"running":0,"left":0,"dry_run":false}'
    is "$(list_of file.yaml)" "$before"
    is "$(list_of queue.yaml)" ''
    paused='[.queues[] | select(.paused).name]'
    is "$("$dray" status --json | jq -c "$paused")" '["default","mail"]'
    is "$("$dray" status -c file.yaml --json | jq -c "$paused")" '[]'
    move 0
    has "$err" '0 jobs moved'
}

# Back again: the queue is paused from the first move, and the second says so.
test_there_and_back() {
    to_file
    "$dray" push ok --id one >/dev/null
    move 0
    has_not "$err" "dray resume"
    run 0 move --from file.yaml --to queue.yaml
    has "$err" "queue default is paused in queue.yaml: dray resume default -c queue.yaml"
    run 0 resume default
    run 0 work --once
}

test_one_queue() {
    to_file
    "$dray" push ok --id one --queue mail >/dev/null
    "$dray" push ok --id two >/dev/null
    move 3 --queue mial
    has "$err" 'did you mean mail'
    move 0 --queue mail
    is "$("$dray" list --json | jq -r .id)" two
    run 0 work --once
}

# Whoever has a job keeps it. It ends where it runs, or is moved when it waits again.
test_running_jobs_stay() {
    to_file
    sed -i 's/strategy: none/strategy: fixed, base: 1h/' queue.yaml
    sed -i 's/; done/; done; exit 1/' queue.yaml
    "$dray" push waits --id runs >/dev/null
    "$dray" push ok --id waiting >/dev/null
    "$dray" work -q 2>/dev/null &
    children+=($!)
    wait_until test -e started
    move 5 --json
    json '[.moved,.running]' '[1,1]'
    is "$("$dray" list -c file.yaml --json | jq -r .id)" waiting
    touch go
    wait_until has_count delayed 1
    move 0 --json
    json '[.moved,.running]' '[1,0]'
    run 0 show runs -c file.yaml --json
    json '[.state,.attempts]' '["delayed",1]'
}

# An interrupted move has stored jobs that it did not come to remove.
test_jobs_in_both() {
    to_file
    "$dray" push ok --id one >/dev/null
    "$dray" push ok --id two >/dev/null
    "$dray" export | "$dray" import -c file.yaml -q
    "$dray" push ok --id three >/dev/null
    move 0 --json
    json '[.moved,.there]' '[1,2]'
    is "$("$dray" list -c file.yaml --json | wc -l) $("$dray" list --json | wc -l)" '3 0'
}

test_jobs_that_are_refused() {
    to_file
    "$dray" push ok 1 --id same >/dev/null
    "$dray" push ok --id keyed --unique=key >/dev/null
    "$dray" push ok --id plain >/dev/null
    "$dray" push ok 2 --id same -c file.yaml >/dev/null
    "$dray" push ok --id holder --unique=key -c file.yaml >/dev/null
    move 5
    has "$err" 'job same is there already with other content'
    has "$err" 'job keyed: job holder'
    is "$("$dray" list --json | jq -r .id | sort | tr '\n' ' ')" 'keyed same '
    is "$("$dray" list -c file.yaml --json | jq -r .id | sort | tr '\n' ' ')" 'holder plain same '
    move 5 --json
    json '[.moved,.refused]' '[0,2]'
}

# By whatever names: its jobs would be removed from where they had just been stored.
test_one_store_is_refused() {
    "$dray" push ok --id one >/dev/null
    ln -s var again
    sed 's/var/again/' queue.yaml >again.yaml
    run 2 move --from queue.yaml --to again.yaml
    has "$err" 'same store'
    run 0 work --once # nothing stayed paused
    "$dray" push ok --id two >/dev/null
    "$dray" pause default -q
    run 2 move --from queue.yaml --to again.yaml
    has "$err" 'same store'
    is "$("$dray" list --json | jq -r .id)" two
    is "$("$dray" status --json | jq -c '.queues[] | select(.name == "default").paused')" true
    # What it was tried with is gone, and of the queues there are no more.
    to_file
    move 0
    is "$("$dray" list -c file.yaml --json | jq -r .id)" two
    is "$("$dray" status --json | jq -c '[.queues[].name]')" '["default","mail"]'
}

test_usage() {
    to_file
    run 2 move --from queue.yaml
    run 2 move --from queue.yaml --to file.yaml -c queue.yaml
    run 2 move --from queue.yaml --to file.yaml --driver file
    out=$(QUEUE_DRIVER=file "$dray" move --from queue.yaml --to file.yaml 2>&1)
    is "$?" 2
    has "$out" QUEUE_DRIVER
    run 78 move --from missing.yaml --to file.yaml
    run 78 move --from queue.yaml --to missing.yaml
    sed 's/driver: file/driver: memory/; /file:/d' file.yaml >memory.yaml
    run 78 move --from queue.yaml --to memory.yaml
    run 78 move --from memory.yaml --to queue.yaml
}

# Workers run on both sides, and the move is killed again and again: every job is done.
test_killed_moves_lose_nothing() {
    cat >>queue.yaml <<'Y'
  note: {command: [sh, -c, 'echo "$DRAY_JOB_ID" >>done.txt']}
Y
    local jobs=200
    [ -z "${DRAY_SANITIZE:-}" ] || jobs=60 # each starts the runner, which is slow there
    to_file
    seq 1 "$jobs" | sed 's/.*/{"type": "note", "id": "j&"}/' | "$dray" push --lines >/dev/null
    "$dray" work -q 2>/dev/null &
    children+=($!)
    "$dray" work -c file.yaml -q 2>/dev/null &
    children+=($!)
    local round=0
    for round in $(seq 1 12); do
        timeout -s KILL "0.0$((RANDOM % 90 + 10))" "$dray" move --from queue.yaml --to file.yaml -q
        "$dray" resume default -q
    done 2>/dev/null
    settled() {
        "$dray" move --from queue.yaml --to file.yaml -q
    }
    wait_until settled
    # A killed move may leave there what it finds out with whether both are one store.
    emptied() {
        out=$("$dray" list -c file.yaml --type note --limit 2 --json 2>"$top/err") && [ -z "$out" ]
    }
    patience=120 wait_until emptied # two hundred processes take their time on a busy machine
    is "$(sort -u done.txt | wc -l)" "$jobs"
}

run_tests
