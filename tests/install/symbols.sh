#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symbols.sh LIBRARY: the names that a shared object exports, sorted.
set -eu
nm -D --defined-only "$1" | awk '{ print $2, $3 }' | LC_ALL=C sort
