#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# postgres_contract.sh CONFORMANCE DRIVER: contract.sh on the server that with_postgres.sh has
# started, a schema a store.
set -euo pipefail

cat >"$PGFOLDER/queue.yaml" <<END
queue: {driver: custom, custom: {module: "$2"}}
connections: {default: {path: "$PGHOST", database: postgres, username: dray}}
END
# A random history is some thousand transactions, five seconds: one of them in the quick run.
fewer=(--histories 1)
[ -z "${DRAY_LONG:-}" ] || fewer=()
"$(dirname "$0")/contract.sh" "$1" "$PGFOLDER/queue.yaml" -o 'schema={unique}' -o clock=host \
    "${fewer[@]}"
