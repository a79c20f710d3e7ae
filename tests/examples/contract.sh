#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# contract.sh CONFORMANCE DRIVER OPTION...: the contract, quickly, or with DRAY_LONG whole.
set -euo pipefail

quick=(--quick)
[ -z "${DRAY_LONG:-}" ] || quick=()
exec "$@" "${quick[@]}"
