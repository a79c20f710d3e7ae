#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# golden.sh GOLDEN COMMAND...: the command prints what the golden file holds. A difference is a
# change of an interface that others were built against: an old driver or program may no longer
# work. If it is meant: COMMAND >GOLDEN.
set -eu
golden=$1
shift
if "$@" | diff -u "$golden" -; then
    exit 0
fi
echo "the interface differs from $golden; if that is meant: $* >$golden" >&2
exit 1
