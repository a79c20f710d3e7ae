#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: check.sh INCLUDE_DIR HEADER. Compiles a file that includes nothing but HEADER, twice.
set -eu
printf '#include "%s"\n#include "%s"\nextern int nothing;\n' "$2" "$2" |
    ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$1" -fsyntax-only -x c -
printf '#include "%s"\n#include "%s"\nextern int nothing;\n' "$2" "$2" |
    ${CXX:-c++} -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$1" -fsyntax-only -x c++ -
