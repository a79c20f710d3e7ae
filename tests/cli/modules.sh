#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Handler modules that the configuration names, run by dray work.
. "$(dirname "$0")/lib.sh"

folder=$DRAY_BUILD/tests/cli/modules

# configure LINE...: a queue with those lines for handlers.
configure() {
    cat >queue.yaml <<'Y'
queue:
  driver: sqlite
  sqlite: {path: var/queue.db}
  keep: {done: 1h}
  job: {max_attempts: 2, backoff: {strategy: none}}
  worker: {concurrency: 1}
Y
    printf '%s\n' "$@" >>queue.yaml
}

test_a_module_of_a_type() {
    configure 'handlers:' "  tell: {module: $folder/job_module.so, options: {colour: red}}"
    "$dray" push tell --id one >/dev/null
    "$dray" push fail-once --id two >/dev/null
    run 0 work --until-empty
    run 0 show one --json
    json '[.state,.result]' '["done",{"colour":"red"}]'
    # The row registers its own type and no other of the module.
    run 0 show two --json
    json '[.state,.releases > 0]' '["delayed",true]'
    is "$(cat ended)" '{"colour":"red"}'
}

test_a_folder_of_modules() {
    configure "handlers_from: $folder"
    for type in tell fail-once fail-always give-up; do
        "$dray" push "$type" --id "$type" >/dev/null
    done
    run 0 work --until-empty --log json
    run 0 show tell --json
    json '[.state,.attempts,.result]' '["done",1,{}]'
    run 0 show fail-once --json
    json '[.state,.attempts,.last_error]' '["done",2,"no route to fail-once"]'
    run 0 show fail-always --json
    json '[.state,.attempts,.last_error]' '["dead",3,"attempt 3 of 3"]'
    run 0 show give-up --json
    json '[.state,.attempts,.last_error]' '["dead",1,"hopeless"]'
    is "$(wc -l <ended)" 1
}

# What the configuration says about a type wins over the module's table.
test_the_configuration_wins() {
    configure "handlers_from: $folder" 'handlers:' \
        "  fail-always: {module: $folder/job_module.so, max_attempts: 5}"
    "$dray" push fail-always --id one >/dev/null
    "$dray" push fail-always --id two --max-attempts 1 >/dev/null
    run 0 work --until-empty
    run 0 show one --json
    json '[.state,.attempts,.last_error]' '["dead",5,"attempt 5 of 5"]'
    run 0 show two --json
    json '[.state,.attempts]' '["dead",1]'
}

is_ready() {
    "$dray" sweep -q
    "$dray" list --state ready --json | grep -q '"crash"'
}

# W3: in the worker's own process a crash takes the worker along. It costs an attempt when the lease
# ends, and a job that crashes every time ends among the dead ones, without a third crash.
test_a_crash() {
    configure "handlers_from: $folder"
    sed -i 's|queue.db}|queue.db, retry_after: 1s}|' queue.yaml
    "$dray" push crash --id crash >/dev/null
    ulimit -c 0
    for attempt in 1 2; do
        { (exec "$dray" work --once -q); } 2>/dev/null
        is $? 134
        run 0 show crash --json
        json '[.state,.attempts]' "[\"active\",$attempt]"
        wait_until is_ready
        run 0 show crash --json
        json '[.state,.attempts,.last_error]' "[\"ready\",$attempt,\"lease expired\"]"
    done
    "$dray" push tell --id after >/dev/null
    run 0 work --until-empty --log json
    is "$(printf '%s\n' "$out" | jq -c 'select(.event == "job_dead") | [.id,.error]')" \
        '["crash","lease expired"]'
    run 0 show crash --json
    json '[.state,.attempts,.last_error]' '["dead",2,"lease expired"]'
    run 0 show after --json
    json .state '"done"'
}

test_modules_that_cannot_be() {
    configure 'handlers:' "  tell:" "    module: $folder/job_module.so" "    options: {a: broken}"
    run 78 work --once
    one_line "$err"
    is "${err%%: *}" ./queue.yaml:8
    has "$err" 'it is broken'
    configure 'handlers:' "  missing: {module: $folder/job_module.so}"
    run 78 check
    has "$err" 'queue.yaml:8'
    has "$err" 'no handler of type missing'
    mkdir modules
    echo 'no object' >modules/a.so
    configure "handlers_from: modules"
    run 78 work --once
    one_line "$err"
    has "$err" 'modules/a.so'
    chmod 777 modules
    cp "$folder/job_module.so" modules/a.so
    run 77 work --once
    one_line "$err"
}

run_tests
