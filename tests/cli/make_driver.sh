#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dray make driver: what it writes compiles without a warning, passes its own test and keeps the
# delivery contract as it stands.
. "$(dirname "$0")/lib.sh"

flags="-Werror -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-qual -Wundef -Wwrite-strings
    -Wstrict-prototypes -Wmissing-prototypes -Wnull-dereference"
sanitize=${DRAY_SANITIZE:+-fsanitize=$DRAY_SANITIZE}

# The driver of a build with sanitizers is linked with the library's runtime unresolved.
build() {
    make -s -C "$1" check CFLAGS="-O2 $(echo $flags) $sanitize" \
        DRAY_CFLAGS="-I$DRAY_SOURCE/include" DRAY_LIBDIR="$DRAY_BUILD/lib" \
        ${sanitize:+DRIVER_FLAGS="-fPIC -fvisibility=hidden -shared -Wl,-z,nodelete"} \
        >make.log 2>&1
    is $? 0
    is "$(cat make.log)" ok
}

test_it_builds_and_passes() {
    run 0 make driver shelf
    is "$out" shelf
    is "$(ls shelf)" $'CMakeLists.txt\nMakefile\nqueue.yaml\nshelf.c\ntest_shelf.c'
    is "$(grep -rliE 'skeleton|spdx' shelf)" ''
    build shelf
    run 0 -c shelf/queue.yaml check
    run 0 drivers ./shelf/shelf.so --json
    json '[.name,.operations]' '["shelf",["push","reserve","ack","retry","extend","list"]]'
    is "$(nm -D --defined-only shelf/shelf.so | awk '$2 == "T" { print $3 }')" dray_driver_entry
    run 0 -c shelf/queue.yaml driver test --quick
    has "$out" ' 0 fail, '
}

test_every_name_compiles() {
    for name in a int x_9 "$(printf 'n%.0s' {1..32})"; do
        run 0 make:driver "$name"
        build "$name"
    done
}

test_it_never_overwrites() {
    mkdir mine
    printf 'mine\n' >mine/mine.c
    run 5 make driver mine
    one_line "$err"
    is "$(ls mine)" mine.c
    ln -s nowhere pointer
    run 5 make driver pointer
    is "$(ls -d nowhere 2>/dev/null)" ''
    run 0 make driver other --json
    json '[.folder,(.files|length),.files[1]]' '["other",5,"other/test_other.c"]'
}

test_names() {
    for name in '../evil' 'a b' '-x' '_x' 'a.b' 'a/b' '' A 9lives "$(printf 'x%.0s' {1..33})"; do
        run 2 make driver -- "$name"
    done
    is "$(ls)" $'queue.yaml\nvar'
}

run_tests
