#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray fsck and dray compact.
. "$(dirname "$0")/lib.sh"

use_file_driver() {
    cat >queue.yaml <<'Y'
queue:
  driver: file
  file: {path: var/queue.jsonl}
Y
}

# flip FILE TEXT: the first byte of its first TEXT becomes another.
flip() {
    local at
    at=$(grep -abo -m1 -- "$2" "$1" | head -n 1 | cut -d: -f1)
    printf '#' | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

test_healthy() {
    for driver in sqlite file; do
        [ "$driver" = sqlite ] || use_file_driver
        "$dray" push ok --id one >/dev/null
        "$dray" push ok --id two >/dev/null
        run 0 fsck
        one_line "$out"
        has "$out" ' 0 damaged, 0 repaired'
        is "$err" ''
        run 0 fsck --repair --json
        json keys_unsorted '["driver","records","damaged","repaired","findings"]'
        json '[.driver,.damaged,.repaired,.findings]' "[\"$driver\",0,0,[]]"
        json '.records >= 2' true
        is "$(count ready)" 2
    done
}

test_a_flipped_byte() {
    use_file_driver
    for id in one two three; do
        "$dray" push ok "{\"to\": \"$id\"}" --id "$id" >/dev/null
    done
    flip var/queue.jsonl '"two"'
    cp var/queue.jsonl damaged
    run 1 fsck
    has "$out" 'var/queue.jsonl'
    has "$out" ' 1 damaged, 0 repaired'
    is "$(printf '%s\n' "$out" | wc -l)" 2
    has "$err" '--repair'
    cmp -s var/queue.jsonl damaged
    is $? 0
    run 1 fsck --json -q
    json '[.damaged,.repaired,(.findings|length)]' '[1,0,1]'
    run 0 fsck --repair --json
    json '[.damaged,.repaired,(.findings|length)]' '[1,1,1]'
    run 0 fsck
    has "$out" ' 0 damaged'
    is "$(count ready)" 2
    run 0 show one
    run 3 show two
    run 0 show three --json
    json .payload.to '"three"'
}

test_a_store_by_its_file() {
    "$dray" push ok --id one >/dev/null
    mv queue.yaml elsewhere.yaml
    QUEUE_DRIVER=nonsense run 0 fsck var/queue.db --json
    json '[.driver,.records]' '["sqlite",1]'
    mv var/queue.db "it's \${odd} \$: #name.db"
    run 0 fsck "it's \${odd} \$: #name.db" --json
    json '[.driver,.records]' '["sqlite",1]'
    mv elsewhere.yaml queue.yaml
    use_file_driver
    "$dray" push ok --id one >/dev/null
    "$dray" push ok --id two >/dev/null
    flip var/queue.jsonl '"one"'
    mv var/queue.jsonl store
    rm queue.yaml
    run 1 fsck store --json
    json '[.driver,.damaged]' '["file",1]'
    run 0 fsck store --repair
    run 0 fsck "$PWD/store"
}

test_damage_in_a_database() {
    "$dray" push ok --id one >/dev/null
    sqlite3 var/queue.db 'update queues set ready=7'
    run 1 fsck
    has "$out" 'its counts are wrong'
    run 0 fsck --repair
    run 0 fsck
    is "$(sqlite3 var/queue.db 'select ready from queues')" 1
}

test_what_is_no_store() {
    run 78 fsck missing
    one_line "$err"
    has "$err" missing
    is "$(ls)" $'queue.yaml\nvar'
    : >empty
    run 78 fsck empty
    one_line "$err"
    is "$(wc -c <empty)" 0
    run 78 fsck var
    one_line "$err"
    echo 'dear diary' >diary
    run 78 fsck diary --repair
    one_line "$err"
    is "$(cat diary)" 'dear diary'
    run 2 fsck diary diary
    printf x >$'a\nb'
    run 2 fsck $'a\nb'
    run 2 compact word
    run 2 compact --repair
}

test_compact_shrinks() {
    for driver in sqlite file; do
        [ "$driver" = sqlite ] || use_file_driver
        for i in $(seq 300); do
            printf '{"type": "ok", "payload": "%01000d"}\n' "$i"
        done >jobs.jsonl
        "$dray" push --lines jobs.jsonl >/dev/null
        "$dray" purge --state ready --yes -q
        "$dray" push ok --id last >/dev/null
        run 0 compact --json
        json keys_unsorted '["driver","bytes_before","bytes_after"]'
        json "[.driver, .bytes_after * 2 < .bytes_before, .bytes_after > 0]" \
            "[\"$driver\",true,true]"
        run 0 show last
        run 0 compact
        has "$out" ' bytes before, '
        one_line "$out"
    done
    is "${out##* before, }" "$(wc -c <var/queue.jsonl) after"
}

test_drivers_that_cannot_be_tended() {
    for driver in memory sync; do
        for verb in fsck 'fsck --repair' compact; do
            run 1 $verb --driver "$driver"
            one_line "$err"
            has "$err" "the driver $driver cannot"
            is "$out" ''
        done
    done
    run 1 fsck --driver memory --json
    is "$(printf '%s' "$err" | jq -r .error.code)" unsupported
    is "$out" ''
}

run_tests
