#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray make job: what it writes compiles without a warning, and runs.
. "$(dirname "$0")/lib.sh"

flags="-Werror -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes"

build() {
    make -s -C jobs CFLAGS="-O1 $flags" DRAY_CFLAGS="-I$DRAY_SOURCE/include" \
        DRAY_LIBS="-L$DRAY_BUILD/lib -ldray" >make.log 2>&1
    is $? 0
    is "$(cat make.log)" ''
}

test_it_builds_and_runs() {
    run 0 make job send-welcome
    has "$err" 'make -C jobs'
    printf 'queue: {driver: sqlite, sqlite: {path: var/queue.db}}\n%s\n' "$out" >queue.yaml
    run 0 make job other
    build
    run 0 check
    "$dray" push send-welcome '{"to": "Ada"}' --id one >/dev/null
    "$dray" push send-welcome --id two >/dev/null
    "$dray" push send-welcome '{"to": 7}' --id three >/dev/null
    run 0 work --until-empty
    has "$err" 'hello, Ada (attempt 1)'
    has "$err" 'hello, world'
    has "$err" 'stopped: 3 processed, 2 succeeded, 1 failed'
    run 0 show three --json
    json '[.state,.attempts,.last_error]' '["dead",1,"\"to\" is not a string"]'
}

test_the_handlers_lines_work_too() {
    run 0 make job one
    { printf 'queue: {driver: sqlite, sqlite: {path: var/queue.db}}\n'
      printf '%s\n' "$out" | sed -n 's/^# \(handlers:\|  .*\)$/\1/p'; } >queue.yaml
    has "$(cat queue.yaml)" 'module: jobs/one.so'
    build
    "$dray" push one >/dev/null
    run 0 work --once --fail-on-error
    has "$err" 'hello, world'
}

test_it_never_overwrites() {
    run 0 make job one
    printf 'mine\n' >jobs/one.c
    printf 'mine too\n' >jobs/Makefile
    run 5 make job one
    one_line "$err"
    has "$err" jobs/one.c
    run 0 make job two --json
    json . '{"files":["jobs/two.c"],"yaml":"handlers_from: jobs\n# or this job alone, with values of its own:\n# handlers:\n#   two: {module: jobs/two.so, max_attempts: 5}\n"}'
    is "$(cat jobs/one.c)" mine
    is "$(cat jobs/Makefile)" 'mine too'
    printf x >target
    ln -s ../target jobs/three.c
    run 5 make job three
    is "$(cat target)" x
}

test_names() {
    for name in '../evil' 'a b' '-x' '_x' 'a.b' 'a/b' '' "$(printf 'x%.0s' {1..65})"; do
        run 2 make job -- "$name"
    done
    is "$(ls)" $'queue.yaml\nvar'
    run 0 make job 3d-int
    run 0 make job double
    build
}

test_where_nothing_may_be_written() {
    printf x >jobs
    out=$("$dray" make job one 2>"$top/err")
    is $? 74
    err=$(cat "$top/err")
    one_line "$err"
}

run_tests
