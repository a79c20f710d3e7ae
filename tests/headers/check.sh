#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: check.sh INCLUDE_DIR HEADER... Compiles a file that includes nothing but the headers, in
# that order, twice each.
set -eu
folder=$1
shift
source=$(for header in "$@" "$@"; do printf '#include "%s"\n' "$header"; done)
warnings='-Wall -Wextra -Wpedantic -Wshadow -Werror'
# shellcheck disable=SC2086 # the words of a command
printf '%s\nextern int nothing;\n' "$source" |
    ${CC:-cc} -std=c11 $warnings -Wconversion -I"$folder" -fsyntax-only -x c -
# shellcheck disable=SC2086
printf '%s\nextern int nothing;\n' "$source" |
    ${CXX:-c++} -std=c++11 $warnings -I"$folder" -fsyntax-only -x c++ -
