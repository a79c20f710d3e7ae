#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray export and dray import.
. "$(dirname "$0")/lib.sh"

# to_file: file.yaml, the same queue on the file driver.
to_file() {
    cat >file.yaml <<'Y'
queue:
  driver: file
  file: {path: var/queue.jsonl}
Y
}

# A job of every kind: scheduled, ready with odd bytes, retrying, dead, done, unique, in two queues.
fill() {
    sed -i 's/^queue:/queue:\n  keep: {done: 1h}/; s/strategy: none/strategy: fixed, base: 1h/' \
        queue.yaml
    "$dray" push ok '{"n":  1e400, "s": "\u0007"}' --id later --delay 1h --unique=key \
        --group g --name 'it is "later" ü' --priority 2 --timeout 3s --max-attempts 9 >/dev/null
    printf '{"type": "ok", "id": "odd", "payload": {"d": "\x7f\xc2\x85"}}\n' |
        "$dray" push --lines >/dev/null
    "$dray" push fails --id again --queue mail >/dev/null
    "$dray" push gives-up --id dead --queue mail >/dev/null
    "$dray" push ok --id done --queue mail >/dev/null
    "$dray" work --queue mail --until-empty --max-jobs 3 -q 2>/dev/null
    "$dray" push ok --id cancelled --queue mail >/dev/null
    "$dray" cancel cancelled -q
}

sorted_list() {
    "$dray" list --json "$@" | sort
}

test_round_trip() {
    fill
    to_file
    is "$("$dray" list --json | jq -r .state | sort -u | tr '\n' ' ')" 'dead delayed done ready '
    run 0 export -o jobs.jsonl
    is "$out" ''
    has "$err" '6 jobs'
    is "$(head -n 1 jobs.jsonl | jq -c '[.dray_export,.driver]')" '[1,"sqlite"]'
    is "$(tail -n 1 jobs.jsonl)" '{"dray_export_end": 6}'
    is "$(wc -l <jobs.jsonl)" 8
    run 0 import -c file.yaml jobs.jsonl --json
    json . '{"jobs":6,"imported":6,"skipped":0,"refused":0,"paused":0,"dry_run":false}'
    is "$(sorted_list -c file.yaml)" "$(sorted_list)"
    run 0 export -c file.yaml
    is "$(printf '%s\n' "$out" | sed 1d | sort)" "$(sed 1d jobs.jsonl | sort)"
    mkdir var2
    sed 's/var/var2/' queue.yaml >back.yaml
    "$dray" export -c file.yaml | "$dray" import -c back.yaml -q
    is "$(sorted_list -c back.yaml)" "$(sorted_list)"
}

test_bytes_of_payloads() {
    to_file
    printf ' {"a" :\n\t1e400,\r"\x7f": "\\u00e9"}' >payload
    "$dray" push ok "$(cat payload)" --id one >/dev/null
    run 0 export
    printf '%s\n' "$out" >jobs.jsonl
    is "$(sed -n 2p jobs.jsonl | jq -j .payload_text)" "$(cat payload)"
    run 0 import -c file.yaml jobs.jsonl
    # Only the very same bytes are the same job.
    run 0 push ok "$(cat payload)" --id one -c file.yaml
    run 5 push ok '{"a":1e400,"\u007f":"\u00e9"}' --id one -c file.yaml
}

many_jobs() {
    seq 1 "$1" | sed 's/.*/{"type": "ok", "payload": "&"}/' | "$dray" push --lines >/dev/null
}

# interrupt_export: ends an export by TERM while it writes. What became of it is in status.
interrupt_export() {
    local drafts=() deadline=$((SECONDS + 60))
    "$dray" export -o jobs.jsonl -q 2>/dev/null &
    until drafts=(jobs.jsonl.*) && [ -e "${drafts[0]}" ]; do
        [ -e jobs.jsonl ] || [ "$SECONDS" -ge "$deadline" ] && break
    done
    kill -TERM $! 2>/dev/null
    wait $!
    status=$?
}

test_an_interrupted_export_leaves_nothing() {
    many_jobs 9000
    for try in $(seq 60); do
        rm -f jobs.jsonl
        interrupt_export
        [ "$status" -eq 0 ] || break # it was through before the signal came: once more
    done
    is "$try: $status" "$try: 143"
    is "$(echo jobs.jsonl*)" 'jobs.jsonl*'
}

test_an_export_beyond_the_file_limit() {
    many_jobs 1000
    run 0 export -o jobs.jsonl
    cp jobs.jsonl before
    # In blocks of 1 KiB; the signal is ignored, as it is for a service, so that the write fails.
    out=$(trap '' XFSZ && ulimit -f 64 && "$dray" export -o jobs.jsonl 2>&1)
    is "$? $(echo jobs.jsonl*)" '74 jobs.jsonl'
    has "$out" 'jobs.jsonl: cannot be written: File too large'
    is "$(cmp jobs.jsonl before)" ''
}

test_a_second_import_is_harmless() {
    fill
    "$dray" export -o jobs.jsonl -q
    before=$(sorted_list)
    run 0 import jobs.jsonl --json
    json '[.imported,.skipped]' '[0,6]'
    "$dray" delete later
    run 0 import - --json <jobs.jsonl
    json '[.imported,.skipped]' '[1,5]'
    is "$(sorted_list)" "$before"
    run 0 import jobs.jsonl
    is "$out" ''
    has "$err" '6 were there already'
}

# The running job of the exporting side waits again, its attempt counted; its late end is its own.
test_a_running_job() {
    to_file
    "$dray" push waits --id one >/dev/null
    "$dray" work --once -q 2>/dev/null &
    children+=($!)
    wait_until test -e started
    run 0 export -o jobs.jsonl
    is "$(sed -n 2p jobs.jsonl | jq -c '[.state,.attempts,.fence]')" '["active",1,1]'
    run 0 import -c file.yaml jobs.jsonl
    run 0 show one -c file.yaml --json
    json '[.state,.attempts,.owner,.lease_until]' '["ready",1,null,null]'
    touch go
    wait "${children[0]}"
    is "$(count ready)" 0
}

# What is imported goes on as if nothing had been: one attempt of two is used.
test_attempts_go_on() {
    "$dray" push fails --id one >/dev/null
    sed -i 's/strategy: none/strategy: fixed, base: 1h/' queue.yaml
    "$dray" work --once -q 2>/dev/null
    "$dray" export -o jobs.jsonl -q
    rm -r var && mkdir var
    "$dray" import jobs.jsonl -q
    run 0 show one --json
    json '[.state,.attempts,(.last_error|contains("no route"))]' '["delayed",1,true]'
    "$dray" retry one -q
    "$dray" work --once -q 2>/dev/null
    run 0 show one --json
    json '[.state,.attempts]' '["dead",2]'
}

# pauses CONFIG: the paused queues there.
pauses() {
    "$dray" status -c "$1" --json | jq -c '[.queues[] | select(.paused).name]'
}

test_pauses_go_along() {
    to_file
    "$dray" push ok --id one --queue mail >/dev/null
    "$dray" push ok --id two >/dev/null
    "$dray" pause mail empty -q
    run 0 export --state ready
    has_not "$out" dray_export_paused
    run 0 export --queue default
    has_not "$out" dray_export_paused
    run 0 export -o jobs.jsonl
    is "$(sed -n 2,3p jobs.jsonl | jq -r .dray_export_paused | sort | tr '\n' ' ')" 'empty mail '
    run 0 import -c file.yaml --dry-run jobs.jsonl
    has "$err" '2 queues would be paused'
    is "$(pauses file.yaml)" '[]'
    run 0 import -c file.yaml --json jobs.jsonl
    json '[.jobs,.imported,.paused]' '[2,2,2]'
    is "$(pauses file.yaml)" '["empty","mail"]'
    run 4 work -c file.yaml --once --queue mail
    sed -i 's/"mail"/"ma il"/' jobs.jsonl
    run 2 import jobs.jsonl
    has "$err" 'jobs.jsonl:3: '
    sed -i 's/"ma il"/7/' jobs.jsonl
    run 2 import jobs.jsonl
    has "$err" 'not the name of a queue'
}

test_parts() {
    fill
    run 0 export --queue mail --state dead,done
    is "$(printf '%s\n' "$out" | sed '1d;$d' | jq -r .id | sort | tr '\n' ' ')" 'cancelled dead done '
    run 0 export --type gives-up
    is "$(printf '%s\n' "$out" | tail -n 1)" '{"dray_export_end": 1}'
    run 3 export --queue mial -o jobs.jsonl
    has "$err" "did you mean mail"
    run 0 export --state dead --state ready
    is "$(printf '%s\n' "$out" | tail -n 1)" '{"dray_export_end": 3}'
    run 2 export --state dad
    is "$out" ''
    has "$err" 'did you mean dead'
    run 2 export --state dad -o jobs.jsonl
    [ -e jobs.jsonl ] && complain 'an export that failed left a file'
    is "$(ls -A | tr '\n' ' ')" 'queue.yaml var '
}

test_output_appears_whole() {
    "$dray" push ok --id one >/dev/null
    echo before >jobs.jsonl
    mkdir folder
    ln -s ../jobs.jsonl folder/link
    run 74 export -o folder
    run 0 export -o folder/link --json
    json . '{"file":"folder/link","jobs":1}'
    is "$(wc -l <jobs.jsonl)" 3
    run 74 export -o nowhere/jobs.jsonl
    one_line "$err"
    run 0 export -o /dev/null
    [ -c /dev/null ] || complain '/dev/null was replaced'
    if [ -w /dev/full ]; then
        run 74 export -o /dev/full
        one_line "$err"
        "$dray" export >/dev/full 2>"$top/err"
        is $? 74
    fi
    is "$(ls -A folder | tr '\n' ' ')" 'link '
}

# refused STATUS PLACE WORD: jobs.jsonl is refused by that place, and nothing is stored.
refused() {
    run "$1" import -c file.yaml jobs.jsonl
    is "$out" ''
    one_line "$err"
    has "$err" "$2"
    has "$err" "$3"
    is "$("$dray" list -c file.yaml --json | wc -l)" 0
    run "$1" import -c file.yaml --json <jobs.jsonl
    is "$(printf '%s' "$err" | jq -r '.error.message' | wc -l)" 1
    is "$("$dray" list -c file.yaml --json | wc -l)" 0
}

test_damaged_files() {
    fill
    to_file
    "$dray" export -o whole -q
    head -n 4 whole >jobs.jsonl
    refused 74 'jobs.jsonl:4:' 'cut off'
    head -c -10 whole >jobs.jsonl
    refused 2 'jobs.jsonl:8:' 'not a JSON object'
    sed 4d whole >jobs.jsonl
    refused 74 'jobs.jsonl:7:' '6 jobs were exported, but the file holds 5'
    cat whole whole >jobs.jsonl
    refused 74 'jobs.jsonl:9:' 'more behind'
    : >jobs.jsonl
    refused 74 'jobs.jsonl' 'empty'
    sed 1d whole >jobs.jsonl
    refused 2 'jobs.jsonl:1:' 'dray export'
    { echo && sed 1d whole; } >jobs.jsonl
    refused 2 'jobs.jsonl:1:' 'dray export'
    echo 'dear diary' >jobs.jsonl
    refused 2 'jobs.jsonl:1:' 'dray export'
    sed '1s/: 1,/: 2,/' whole >jobs.jsonl
    refused 78 'jobs.jsonl:1:' 'format 2'
    sed '5s/"id"/"ids"/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:5:' "did you mean 'id'"
    sed '5s/"type": "[a-z-]*", //' whole >jobs.jsonl
    refused 2 'jobs.jsonl:5:' "'type' is missing"
    sed '6s/"state": "[a-z]*"/"state": "asleep"/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:6:' 'the state'
    sed '3s/"priority": 5/"priority": 10/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:3:' 'the priority'
    sed '3s/"priority": 5/"priority": -5/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:3:' 'priority'
    sed '2s/1e400/1e/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:2:' 'not one JSON value'
    sed '2s/1e400/1/;2s/"payload"/"pay\\u006coad"/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:2:' 'without escapes'
    sed '2s/"group"/"id"/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:2:' 'duplicate'
    sed '2s/"later"/"no good"/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:2:' 'the id'
    sed '3s/"id"/\x00"id"/' whole >jobs.jsonl
    refused 2 'jobs.jsonl:3:' 'zero byte'
}

# Every file that is cut off anywhere is refused, and none stores anything.
test_every_cut() {
    "$dray" push ok '{"a": [1, "}"]}' --id one >/dev/null
    to_file
    "$dray" export -o whole -q
    local size
    size=$(wc -c <whole)
    for at in $(seq 0 7 $((size - 2))); do
        head -c "$at" whole >jobs.jsonl
        "$dray" import -c file.yaml jobs.jsonl -q 2>/dev/null && complain "cut at $at: imported"
    done
    is "$("$dray" list -c file.yaml --json | wc -l)" 0
    # The line break at the very end is no loss.
    head -c $((size - 1)) whole >jobs.jsonl
    run 0 import -c file.yaml jobs.jsonl
}

test_conflicts_are_named_and_the_rest_is_imported() {
    fill
    to_file
    "$dray" export -o jobs.jsonl -q
    "$dray" push other --id holder --unique=key -c file.yaml >/dev/null
    "$dray" push other --id odd -c file.yaml >/dev/null
    run 5 import --dry-run jobs.jsonl -c file.yaml
    has "$err" '5 of 6 jobs would be imported'
    run 5 import --dry-run jobs.jsonl --json -c file.yaml
    json '[.imported,.skipped,.refused,.dry_run]' '[5,0,1,true]'
    is "$("$dray" list -c file.yaml --json | wc -l)" 2
    run 5 import jobs.jsonl --json -c file.yaml
    json '[.imported,.skipped,.refused]' '[4,0,2]'
    is "$(printf '%s\n' "$err" | jq -c '[.error.code,.error.line]' | sort | tr '\n' ' ')" \
        '["conflict",3] ["duplicate",2] '
    is "$("$dray" list -c file.yaml --json | wc -l)" 6
}

test_what_cannot_take_jobs() {
    "$dray" push ok --id one >/dev/null
    "$dray" export -o jobs.jsonl -q
    for driver in memory isolate sync; do
        run 78 import jobs.jsonl --driver "$driver"
        one_line "$err"
        has "$err" "$driver"
    done
    run 0 export --driver memory
    has "$err" 'memory'
    run 74 import missing.jsonl
    one_line "$err"
    run 2 import jobs.jsonl jobs.jsonl
    run 2 export word
}

# Interleaved queues and a backlog of many times the memory that the command may have.
test_a_large_file() {
    to_file
    local n=${DRAY_LONG:+100000}
    n=${n:-6000}
    {
        echo '{"dray_export": 1}'
        seq "$n" | awk '{printf "{\"id\": \"j%06d\", \"queue\": \"q%d\", \"type\": \"ok\", \"state\": \"ready\", \"created_at\": \"2026-01-01T00:00:00Z\", \"payload\": {\"n\": %d, \"text\": \"%04000d\"}}\n", $1, $1 % 3, $1, 0}'
        echo "{\"dray_export_end\": $n}"
    } >jobs.jsonl
    sed -i 's/{path: var.queue.db/&, durability: process/' queue.yaml
    if [ -z "${DRAY_SANITIZE:-}" ]; then
        # The command itself needs some 20 MB of addresses.
        ulimit -S -v 40000
    fi
    run 0 import jobs.jsonl --json
    json .imported "$n"
    run 0 export -o again.jsonl
    ulimit -S -v unlimited
    is "$(sed '1d;$d' again.jsonl | jq -r .id | sort | md5sum)" \
        "$(sed '1d;$d' jobs.jsonl | jq -r .id | sort | md5sum)"
    # Each queue keeps its order.
    is "$("$dray" list --queue q1 --limit 3 --json | jq -r .id | tr '\n' ' ')" \
        'j000001 j000004 j000007 '
}

run_tests
