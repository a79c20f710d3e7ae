#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every clause of the delivery contract has a proof: a check of the kit, or a test that clauses.txt
# names and that is there.
#
#     clauses.sh KIT SOURCE
set -euo pipefail
kit=$1
cd "$2"
table=tests/conformance/clauses.txt
contract=docs/semantics.md
wrong=0

complain() {
    echo "$*"
    wrong=$((wrong + 1))
}

clauses=$(sed -nE 's/^(- |\| )([A-Z][0-9]+)[ (].*/\2/p' "$contract")
checked=$("$kit" --clauses | cut -f 1 | sort -u)
[ "$(wc -w <<<"$clauses")" -ge 60 ] || complain "$contract: too few clauses were found in it"

proofs() { awk -v clause="$1" '$1 == clause' "$table"; }

for clause in $clauses; do
    grep -qx "$clause" <<<"$checked" || [ -n "$(proofs "$clause")" ] ||
        complain "$clause has neither a check nor a line in $table"
done

while read -r clause file name _; do
    case $clause in '' | '#'*) continue ;; esac
    grep -qx "$clause" <<<"$clauses" || complain "$table: $contract has no clause $clause"
    [ "$file" = - ] && continue
    if [ ! -f "$file" ]; then
        complain "$table: $clause: $file is not there"
    elif ! grep -qE "^(static )?void $name\(" "$file"; then
        complain "$table: $clause: $file has no test $name"
    fi
done <"$table"

# What the kit calls by another name is not in the contract: the header has the rules for it.
for clause in $checked; do
    case $clause in
        list | stats | tend | close | history | faults) ;;
        *) grep -qx "$clause" <<<"$clauses" || complain "the kit names $clause, $contract does not" ;;
    esac
done

in_kit=$(comm -12 <(sort <<<"$clauses") <(sort <<<"$checked") | wc -l)
echo "$(wc -w <<<"$clauses") clauses: $in_kit checked by the kit, the others by tests of their own"
[ "$wrong" -eq 0 ]
