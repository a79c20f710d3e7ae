#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the model of the sleeping with spin (https://spinroot.com), in both modes; then takes a part
# out and expects the check to fail.
set -eu
model=$(cd "$(dirname "$0")" && pwd)/sleep.pml
if ! command -v spin > /dev/null; then
    echo "SKIPPED: spin is not installed (Debian: spin); the model of the sleeping is not checked" >&2
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# verify NAME [-D...]: prints "errors: N" of an exhaustive search.
verify() {
    name=$1
    shift
    spin "$@" -a "$model" > "$name.log" || { cat "$name.log"; exit 1; }
    ${CC:-cc} -O2 -w -DSAFETY -DVECTORSZ=2048 -DMEMLIM=3000 -o "$name" pan.c
    ./"$name" -m20000 -E > "$name.log" 2>&1 || true
    grep -E "errors:|max search depth|out of memory|depth too small" "$name.log"
}

expect() {
    want=$1
    shift
    out=$(verify "$@")
    case $out in
    *"depth too small"* | *memory*) echo "$*: the search did not end: $out"; exit 1 ;;
    *"errors: 0"*) got=0 ;;
    *) got=1 ;;
    esac
    echo "$*: $out"
    [ "$got" = "$want" ] || { echo "$*: expected $want"; cat ./*.log; exit 1; }
}

expect 0 slow -DFIRST=1 -DSECOND=1
[ -z "${DRAY_LONG:-}" ] || expect 0 slow_not_alone -DNOT_ALONE
expect 0 quick -DQUICK
expect 0 slow_stuck -DNOT_ALONE -DSTUCK=1 -DFIRST=1 -DSECOND=1
expect 0 quick_stuck -DQUICK -DNOT_ALONE -DSTUCK=2 -DEXECUTORS=3
expect 1 slow_all_look -DNOT_ALONE -DALL_LOOK
expect 1 slow_no_chain -DNOT_ALONE -DSTUCK=1 -DNO_CHAIN
expect 1 quick_no_chain -DQUICK -DNOT_ALONE -DSTUCK=2 -DEXECUTORS=3 -DNO_CHAIN
expect 1 slow_no_call -DNO_CALL
expect 1 quick_no_nudge -DQUICK -DNO_NUDGE
