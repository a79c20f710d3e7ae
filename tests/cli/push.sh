#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray push: what it prints, what it stores, what it refuses.
. "$(dirname "$0")/lib.sh"

later=$(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)

test_prints_the_id_and_nothing_else() {
    run 0 push ok '{"n":1}'
    one_line "$out"
    is "$err" ''
    checks=$((checks + 1))
    [[ $out =~ ^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$ ]] ||
        complain "no UUIDv7"
    local id=$out
    run 0 show "$id" --json
    json .id "\"$id\""
    run 0 push ok --json
    json 'keys' '["id"]'
}

test_every_option_is_stored() {
    run 0 push ok '{"n": 1.0}' --queue mail --priority 0 --max-attempts 7 --timeout 1m \
        --unique=nightly --id job-1 --name 'for people' --group tenant --delay 1h
    is "$out" job-1
    run 0 show job-1 --json
    json '[.id,.queue,.type,.state,.priority,.attempts,.max_attempts,.timeout_ms]' \
        '["job-1","mail","ok","delayed",0,0,7,60000]'
    json '[.unique_key,.group,.name,.releases,.last_error,.result]' \
        '["nightly","tenant","for people",0,null,null]'
    has "$out" '"payload": {"n": 1.0}'
    run 0 push ok --at "$later" --id job-2
    run 0 show job-2 --json
    json .run_at "\"${later%Z}.000Z\""
    run 2 push ok --at 2199-12-01T09:00:00Z
}

test_payloads_come_back_byte_for_byte() {
    run 0 push ok '{"z":1e2,"a":[0.10,123456789012345678901234567890]}' --id a
    run 0 show a --json
    has "$out" '{"z":1e2,"a":[0.10,123456789012345678901234567890]}'
    printf '[1,\n 2]\n' | "$dray" push ok - --id b2 >/dev/null
    run 0 show b2 --json
    json .payload '[1,2]'
    run 0 push ok --id c
    run 0 show c --json
    json .payload null
    run 0 push ok -5 --id d
    run 0 show d --json
    json .payload -5
}

test_the_same_job_again() {
    run 0 push ok '{"n":1}' --id x
    run 0 push ok '{"n":1}' --id x
    is "$out" x
    run 5 push ok '{"n":2}' --id x
    has "$err" x
    one_line "$err"
    is "$(count ready)" 1
}

test_unique() {
    run 0 push ok '{"a":1,"b":2}' --unique
    local first=$out
    run 5 push ok '{"b": 2, "a": 1}' --unique
    is "$out" "$first"
    one_line "$err"
    run 0 push ok '{"a":2}' --unique=key
    first=$out
    run 5 push ok '{"a":3}' --unique=key --json
    json .id "\"$first\""
    is "$(printf '%s' "$err" | jq -c '.error | keys')" '["code","file","line","message"]'
    is "$(printf '%s' "$err" | jq -r .error.code)" duplicate
}

test_lines() {
    cat >jobs.jsonl <<J
{"type": "ok", "payload": {"z": 1.0, "a": 123456789012345678901234567890}, "id": "one"}

{"type": "fails", "delay": "5m", "priority": 2, "max_attempts": 3, "timeout": 1.5, "unique": "k", "id": "two", "name": "n", "group": "g"}
{"type": "ok", "at": "$later", "id": "three"}
J
    run 0 push --lines jobs.jsonl --queue mail
    is "$out" $'one\ntwo\nthree'
    run 0 show one --json
    has "$out" '"payload": {"z": 1.0, "a": 123456789012345678901234567890}'
    json .queue '"mail"'
    run 0 show two --json
    json '[.state,.priority,.max_attempts,.timeout_ms,.unique_key,.name,.group]' \
        '["delayed",2,3,1500,"k","n","g"]'
    run 0 push --lines=jobs.jsonl --queue mail
    is "$out" $'one\ntwo\nthree'
    is "$("$dray" push --lines <<<'{"type":"ok","id":"four","queue":"mail"}')" four
    is "$("$dray" push --lines - <<<'{"type":"ok","id":"five"}')" five
    is "$(count ready)" 3
}

# refuse_lines LINE PART: the line, as the third of a batch, is refused by its number.
refuse_lines() {
    printf '{"type":"ok"}\n\n%s\n{"type":"ok"}\n' "$1" >bad.jsonl
    out=$("$dray" push --lines bad.jsonl 2>"$top/err")
    status=$?
    err=$(cat "$top/err")
    checks=$((checks + 1))
    [ "$status" -eq "${3:-2}" ] || complain "$1: status $status"
    is "$out" ''
    has "$err" bad.jsonl:3:
    has "$err" "$2"
    one_line "$err"
    is "$("$dray" list --json --type ok | wc -l)" "${left:-0}"
}

test_a_wrong_line_pushes_nothing() {
    refuse_lines '{"type":"ok"' 'JSON'
    refuse_lines '[]' 'not a JSON object'
    refuse_lines '{"payload":1}' "'type' is missing"
    refuse_lines '{"type":"ok","dealy":1}' "did you mean 'delay'?"
    refuse_lines '{"type":"ok","delay":"soon"}' 'delay'
    refuse_lines '{"type":"ok","delay":-1}' 'delay'
    refuse_lines '{"type":"ok","delay":1e300}' 'delay'
    refuse_lines '{"type":"ok","at":"noon"}' 'at:'
    refuse_lines '{"type":"ok","priority":10}' 'priority'
    refuse_lines '{"type":"ok","priority":1.5}' 'priority'
    refuse_lines '{"type":"ok","max_attempts":0}' 'max_attempts'
    refuse_lines '{"type":7}' 'type'
    refuse_lines '{"type":"ok","type":"ok"}' 'duplicate'
    refuse_lines '{"type":"no good"}' 'type'
    refuse_lines '{"type":"ok","id":"/"}' 'id'
    refuse_lines '{"type":"ok","queue":"mail"}' 'one queue'
    "$dray" push ok '{"n":1}' --unique=k --id holder >/dev/null
    left=1 refuse_lines '{"type":"ok","unique":"k"}' '' 5
    left=1 refuse_lines '{"type":"ok","id":"holder","payload":2}' '' 5
}

test_what_push_refuses() {
    run 2 push
    run 2 push ok 1 2
    run 2 push ok '{"n":'
    has "$err" 'JSON'
    run 2 push ok ''
    run 2 push ok 'null null'
    run 2 push 'no good'
    run 2 push "$(printf 'x%.0s' {1..65})"
    run 2 push ok --delay soon
    run 2 push ok --delay 11y
    run 2 push ok --at tomorrow
    run 2 push ok --at 2026-12-01T09:00:00Z --delay 1h
    run 2 push ok --priority 10
    run 2 push ok --priority x
    run 2 push ok --max-attempts 0
    run 2 push ok --id 'a/b'
    run 2 push ok --queue ''
    run 2 push ok --name $'a\nb'
    run 2 push ok --lines x.jsonl --delay 1s
    run 74 push --lines missing.jsonl
    run 2 push ok --quue mail
    has "$err" 'did you mean --queue?'
    is "$(count ready)" 0
}

test_payload_over_the_limit() {
    { printf '"'; head -c 1100000 /dev/zero | tr '\0' x; printf '"'; } >big.json
    out=$("$dray" push ok - <big.json 2>"$top/err")
    is $? 2
    err=$(cat "$top/err")
    one_line "$err"
    printf '"a\0b"' >zero.json
    "$dray" push ok - <zero.json >/dev/null 2>&1
    is $? 2
    "$dray" push ok - </dev/null >/dev/null 2>&1
    is $? 2
    is "$(count ready)" 0
}

test_drivers_without_a_store() {
    run 78 push ok --driver memory
    has "$err" 'use sqlite or file'
    one_line "$err"
    run 0 push ok --driver sync
    one_line "$out"
    run 1 push fails --driver sync
    has "$err" 'no route'
    one_line "$out"
    run 2 push nobody --driver sync
    run 0 push ok --driver isolate
    one_line "$out"
    run 1 push fails --driver isolate
    has "$err" 'no route'
    run 1 push nobody --driver isolate
    has "$err" 'no handler'
}

run_tests
