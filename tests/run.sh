#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds Dray in build/ and runs every test. On Debian 12 it first installs what is missing (as
# root). Run it again whenever you like.
#
#     tests/run.sh                 everything
#     tests/run.sh --long          longer campaigns too (sets DRAY_LONG=1)
#     tests/run.sh -R sqlite       other arguments go to ctest
#
# A test that cannot run for want of a server or a library is skipped, loudly; with CI=true it is a
# failure. Exit status: 0 all passed, 1 not.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh

if [ "${1:-}" = --long ]; then
    export DRAY_LONG=1
    shift
fi
jobs=$(nproc)
build=${DRAY_BUILD_FOLDER:-build}
start=$SECONDS

need_packages "$packages_build" "$packages_test"
build_tree "$build" -DDRAY_WERROR=ON -DDRAY_TESTS=ON -DDRAY_EXAMPLES=ON -DDRAY_BENCH=ON
built=$((SECONDS - start))

log=$build/tests/run.log
mkdir -p "$build/tests"
status=0
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$jobs" "$@" 2>&1 |
    tee "$log" | grep -vE '^ *Start +[0-9]+:' || status=1

skipped=$(grep -E '\*\*\*(Skipped|Not Run)' "$log" | sed -E 's/^.*: ([^ ]+) \.*.*/\1/' || true)
echo
echo "built in ${built} s, tested in $((SECONDS - start - built)) s; log: $log"
if [ -n "$skipped" ]; then
    echo "SKIPPED, so not proven on this machine:"
    printf '    %s\n' $skipped
    if [ "${CI:-}" = true ]; then
        echo "with CI=true nothing may be skipped"
        status=1
    fi
fi
if [ "$status" -eq 0 ]; then
    echo "PASSED"
else
    failed=$(sed -nE 's/^[^:]*Test +#[0-9]+: ([^ ]+) .*\*\*\*(Failed|Timeout|Exception).*/\1/p' "$log")
    echo "FAILED:" ${failed:-see above}
fi
grep -E '^[0-9]+% tests passed' "$log" || true
exit "$status"
