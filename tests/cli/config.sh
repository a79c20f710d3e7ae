#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray config, check, doctor, health, drivers, driver test, bench.
. "$(dirname "$0")/lib.sh"

test_config() {
    run 0 config --json
    is "$(printf '%s\n' "$out" | jq -c keys_unsorted | sort -u)" '["key","value","origin"]'
    origin() { printf '%s\n' "$out" | jq -r "select(.key==\"$1\") | .origin"; }
    value() { printf '%s\n' "$out" | jq -r "select(.key==\"$1\") | .value"; }
    has "$(origin queue.driver)" queue.yaml:2
    is "$(value queue.driver)" sqlite
    is "$(origin queue.worker.shutdown_timeout)" default
    has "$(origin queue.worker.concurrency)" queue.yaml:5
    QUEUE_DRIVER=memory run 0 config --json
    is "$(origin queue.driver)" QUEUE_DRIVER
    run 0 config
    has "$out" $'queue.driver\tsqlite\t'
    run 0 config --driver memory --json
    is "$(value queue.driver)" memory
}

test_secrets_are_hidden() {
    cat >secret.yaml <<'Y'
queue: {driver: sqlite, sqlite: {path: var/queue.db}}
connections:
  default: {url: "redis://user:hunter2@127.0.0.1:1/0", password: xyzzy}
Y
    run 0 config -c secret.yaml
    has "$out" $'connections.default.password\t***'
    has_not "$out" xyzzy
    has_not "$out" hunter2
    chmod 644 secret.yaml
    run 1 doctor -c secret.yaml
    has "$out" 'chmod 600'
    chmod 600 secret.yaml
    run 0 doctor -c secret.yaml
}

test_a_backend_that_is_away() {
    [ -e "$DRAY_DRIVER_PATH/redis.so" ] || return
    cat >secret.yaml <<'Y'
queue:
  driver: redis
  redis: {connection: default}
connections:
  default: {url: "redis://127.0.0.1:1/0", password: xyzzy}
Y
    run 69 push ok -c secret.yaml
    has_not "$err" xyzzy
    one_line "$err"
    run 2 health -c secret.yaml
    has "$out" critical
}

test_check_does_not_connect() {
    run 0 check
    is "$out" ''
    is "$(ls var)" ''
    run 0 check --json
    json '[.config,.ok]' '["./queue.yaml",true]'
    run 78 check -c missing.yaml
}

# refused YAML TEXT: it is refused with that text, in one line that names its place.
refused() {
    printf "$1\n" >refused.yaml
    run 78 check -c refused.yaml
    one_line "$err"
    has "$err" "refused.yaml:$2"
}

test_sections_that_nobody_reads() {
    refused 'queue:\n  driver: sqlite\n  sqlit: {path: x}' \
        '3: queue.sqlit: there is no such driver; did you mean queue.sqlite'
    refused 'queue: {driver: sqlite, sqlite: {module: ./x.so}}' '1: queue.sqlite has no key "module"'
    # Sections of other drivers are not looked at, whether those are installed or not.
    printf 'queue: {driver: sqlite, sync: {a: 1}, postgres: {b: 2}}\n' >others.yaml
    run 0 check -c others.yaml
    printf 'queue: {driver: file, fil: {a: 1}, file: {path: x}}\n' >others.yaml
    run 0 check -c others.yaml
}

test_paths_of_drivers() {
    refused 'queue:\n  driver: custom\n  custom:\n    module: ./none.so' '4: driver custom: '
    refused 'queue:\n  driver: ./none.so' "2: driver $PWD/none.so: "
    run 78 check --driver ./none.so --json
    is "$(printf '%s\n' "$err" | jq .error.line)" null
    cp "$DRAY_DRIVER_PATH/file.so" .
    printf 'queue:\n  driver: custom\n  custom:\n    module: ./file.so\n    path: x\n' >good.yaml
    run 0 check -c good.yaml --json
    is "$err" ''
}

test_doctor() {
    run 0 doctor
    run 0 doctor --json
    json keys_unsorted '["driver","durability","ok","warnings"]'
    json '[.driver,.durability,.ok,.warnings]' '["sqlite","host",true,[]]'
    run 1 doctor --driver memory
    has "$out" 'gone with the process'
    cat >risky.yaml <<'Y'
queue:
  driver: sqlite
  sqlite: {path: var/risky.db, durability: process, retry_after: 2s}
  job: {max_attempts: 1}
  keep: {dead: 0}
Y
    run 1 doctor -c risky.yaml
    has "$out" 'durability process'
    has "$out" 'retry_after is 2s'
    has "$out" 'risky.yaml:4: queue.job.max_attempts'
    has "$out" 'risky.yaml:5: queue.keep.dead'
    run 78 doctor -c missing.yaml
    cat >patient.yaml <<'Y'
queue: {driver: sqlite, worker: {shutdown_timeout: 20s}}
handlers:
  long: {command: ["true"], timeout: 1m}
  short: {command: ["true"], timeout: 20s}
Y
    run 1 doctor -c patient.yaml
    one_line "$out"
    has "$out" 'patient.yaml:3: handlers.long.timeout is 1m'
}

# What the driver warns of while it opens its store is a finding too.
test_doctor_hears_the_driver() {
    printf 'queue: {driver: file}\n' >file.yaml
    "$dray" push ok -c file.yaml >/dev/null
    "$dray" push ok -c file.yaml >/dev/null
    sed -i '2s/push/hsup/' var/queue/jobs.jsonl
    run 1 doctor -c file.yaml --json
    json '.warnings|length' 1
    has "$out" '1 damaged or missing records are set aside'
    is "$err" ''
}

test_health() {
    "$dray" push ok >/dev/null
    run 2 health
    has "$out" critical
    run 2 health --json
    json '[.status,(.findings|length>0)]' '["critical",true]'
    "$dray" work -q &
    local pid=$!
    children+=("$pid")
    healthy() { "$dray" health -q >/dev/null; }
    wait_until healthy
    run 0 health --json
    json .status '"ok"'
    "$dray" pause default -q
    run 1 health
    kill -TERM "$pid"
    wait "$pid"
    run 64 health now
    run 64 health --nonsense
    run 78 health -c missing.yaml
}

test_drivers() {
    run 0 drivers --json
    for name in memory sync isolate sqlite; do
        is "$(printf '%s\n' "$out" | jq -r "select(.name==\"$name\") | .abi")" 1
    done
    run 0 drivers sqlite --json
    json keys_unsorted '["name","version","summary","path","abi","traits","operations","options"]'
    json '.options[0] | keys_unsorted' '["name","type","default","help"]'
    json '.operations[:4]' '["push","reserve","ack","retry"]'
    json '.traits | contains(["shared","unique","priority"])' true
    json '.options | map(select(.name=="path")) | length' 1
    run 0 drivers memory --json
    json '.traits | contains(["quick"])' true
    run 0 drivers sqlite
    has "$out" $'traits\t'
    run 0 drivers
    has "$out" $'sqlite\t'
    run 3 drivers nonsense
    one_line "$err"
    printf 'no module' >fake.so
    run 1 drivers ./fake.so
    run 2 drivers a b
}

test_driver_test() {
    run 0 driver test queue.yaml --quick --only T11
    has "$out" 'an expired lease puts the job back'
    has "$out" '0 fail'
    run 0 --json --driver memory driver:test --quick --only T11
    is "$(printf '%s' "$out" | jq -c '[.driver,.fail,.checks[0].clause,.checks[0].result]')" \
        '["memory",0,"T11","holds"]'
    run 2 driver test queue.yaml --only T99
    has "$err" T99
    run 2 driver test queue.yaml more.yaml
    run 78 driver test nowhere.yaml
    has "$err" nowhere.yaml
    one_line "$err"
    run 78 --json --driver nobody driver test
    is "$(printf '%s' "$err" | jq -r .error.code)" 'not found'
    run 78 driver test queue.yaml -o nonsense=1
    has "$err" nonsense
}

# The drivers are found beside the kit, wherever the installation is.
test_driver_test_in_another_place() {
    local folder=$top/copy
    copy_program
    cp "$DRAY_DRIVER_PATH/dray-conformance" "$folder/lib/dray/"
    out=$(env -u DRAY_DRIVER_PATH "$folder/bin/dray" --driver memory driver test --only T6 --quick)
    is $? 0
    has "$out" 'an acked job never starts again'
}

# The store that the configuration names is the user's, and stays as it is.
test_driver_test_keeps_off_the_store() {
    [ -e "$DRAY_DRIVER_PATH/sqlite.so" ] || return 0
    printf 'queue: {driver: sqlite, sqlite: {path: %s}}\n' "$top/own.db" >own.yaml
    run 0 driver test own.yaml --only T6
    [ ! -e "$top/own.db" ] || fail "the store of the configuration was opened"
}

test_bench_is_handed_over() {
    local folder=$top/copy
    copy_program
    "$folder/bin/dray" bench 2>"$top/err"
    is $? 1
    err=$(cat "$top/err")
    has "$err" dray-bench
    one_line "$err"
    printf '#!/bin/sh\nprintf "%%s\\n" "$@"\nexit 9\n' >"$folder/lib/dray/dray-bench"
    chmod +x "$folder/lib/dray/dray-bench"
    out=$("$folder/bin/dray" --driver memory bench --jobs 10)
    is $? 9
    is "$out" $'--config\n./queue.yaml\n--driver\nmemory\n--jobs\n10'
    out=$("$folder/bin/dray" --json -c queue.yaml bench)
    is "$out" $'--config\nqueue.yaml\n--json'
}

test_check_sees_a_missing_folder_of_handlers() {
    run 0 check
    echo 'handlers_from: nowhere' >>queue.yaml
    run 78 check
    has "$err" "$PWD/nowhere"
    one_line "$err"
}

# refused_alike PLACE WORD: check and the verbs that load handlers refuse bad.yaml with one voice.
refused_alike() {
    run 78 check -c bad.yaml
    one_line "$err"
    is "${err%%: *}" "$1"
    has "$err" "$2"
    local said=$err
    run 78 work --once -c bad.yaml
    is "$err" "$said"
    run 78 doctor -c bad.yaml --json
    is "$(printf '%s' "$err" | jq -r '"\(.error.file):\(.error.line)"')" "$1"
}

test_handlers_that_cannot_be_are_refused_at_their_line() {
    head -n 5 queue.yaml >bad.yaml
    echo 'handlers_from: nowhere' >>bad.yaml
    refused_alike bad.yaml:6 nowhere
    head -n 5 queue.yaml >bad.yaml
    printf 'handlers:\n  ok: {command: ["true"]}\n  a:\n    module: none.so\n' >>bad.yaml
    refused_alike bad.yaml:8 none.so
    printf '    isolation: process\n' >>bad.yaml
    refused_alike bad.yaml:10 isolation
    sed 's/concurrency: 1/isolation: process/' queue.yaml >bad.yaml
    refused_alike bad.yaml:5 isolation
    head -n 5 queue.yaml >bad.yaml
    printf 'handlers:\n  a: {command: [no-such-program]}\n' >>bad.yaml
    refused_alike bad.yaml:7 no-such-program
}

test_a_durability_that_cannot_be_is_refused_at_its_line() {
    sed 's/sqlite: .*/sqlite:\n    path: var\/queue.db\n    durability: replicated/' queue.yaml \
        >bad.yaml
    run 78 list -c bad.yaml
    one_line "$err"
    is "${err%%: *}" bad.yaml:5
    has "$err" 'sqlite gives'
    # Without a file there is no place.
    run 78 list -c queue.yaml --driver memory/none
    has_not "$err" queue.yaml
}

run_tests
