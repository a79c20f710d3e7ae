#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every driver that breaks a rule, and what becomes of it: refused by the library before it is
# called, with the words that say why, or caught by the kit in the clauses that it breaks.
#
#     broken.sh KIT LIST LEAST
#
# A line of LIST, of which there are LEAST or more, is FILE|refused|WORDS or
# FILE|caught|CLAUSE CLAUSE...; drivers called network_* find a server as with_postgres.sh says.
set -u
kit=$1
list=$2
least=$3
drivers=0
wrong=0
# One of them leaks on purpose, and one crashes.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0:handle_segv=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

say() { printf '%-22s %-32s %s\n' "$1" "$2" "$3"; }

refused() {
    "$kit" "$1" --quick >"$out" 2>&1
    local status=$?
    if [ "$status" -eq 78 ] && grep -qF -- "$3" "$out"; then
        say "$2" "refused" "$(sed 's/^[^:]*: //' "$out" | cut -c 1-160)"
    else
        say "$2" "NOT REFUSED" "status $status, not 78, or without the words \"$3\""
        wrong=$((wrong + 1))
        cat "$out"
    fi
}

caught() {
    local clause
    for clause in $3; do
        if "$kit" "${config[@]}" --quick --only "$clause" --caught "$clause" --patience 3 \
            "${options[@]}" >"$out" 2>&1; then
            say "$2" "caught in $clause" \
                "$(grep -A1 -E '  fails( in a turn)?$' "$out" | sed -n 's/^         //p;T;q')"
        else
            say "$2" "NOT CAUGHT in $clause" ""
            wrong=$((wrong + 1))
            tail -n 20 "$out"
        fi
    done
}

while IFS='|' read -r file how what; do
    name=$(basename "$file" .so)
    options=() config=("$file")
    case $name in
        shared_*) options=(-o 'path={tmp}/queue.db') ;;
        network_*)
            options=(-o 'schema={unique}' -o clock=host)
            config=("$PGFOLDER/queue.yaml")
            printf '%s\n' "queue: {driver: custom, custom: {module: \"$file\"}}" \
                "connections: {default: {path: \"$PGHOST\", database: postgres}}" >"${config[0]}"
            ;;
    esac
    case $how in
        refused) refused "$file" "$name" "$what" ;;
        caught) caught "$file" "$name" "$what" ;;
        *)
            echo "$list: $how is neither refused nor caught"
            exit 2
            ;;
    esac
    drivers=$((drivers + 1))
done <"$list"

echo "$drivers drivers, $wrong wrong answers"
[ "$wrong" -eq 0 ] && [ "$drivers" -ge "$least" ]
