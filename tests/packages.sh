# SPDX-License-Identifier: Apache-2.0
# Sourced by tests/run.sh, examples/quickstart.sh and .ci/run: what has to be on the machine, and
# the Debian package that brings it. Nothing is installed that is there already, from wherever.

# Each row: what is looked for, the package. A row begins with its kind: a command, a pkg-config
# module, a header, or a file by a pattern.
packages_build='
command cc gcc
command cmake cmake
command pkg-config pkg-config
command make make
header ltdl.h libltdl-dev
module jansson libjansson-dev
module libmd libmd-dev
module yaml-0.1 libyaml-dev
module sqlite3 libsqlite3-dev
module hiredis libhiredis-dev
'
packages_test='
command c++ g++
command python3 python3
command groff groff-base
command dpkg-shlibdeps dpkg-dev
command jq jq
command sqlite3 sqlite3
command redis-server redis-server
module libpq libpq-dev
file /usr/lib/postgresql/*/bin/initdb postgresql
command script bsdutils
command file file
command spin spin
module cmocka libcmocka-dev
'
packages_check='
command clang clang
command clang-tidy clang-tidy
command clang-format clang-format
command valgrind valgrind
command git git
'

package_present() {
    case $1 in
        command) command -v "$2" >/dev/null 2>&1 ;;
        module) pkg-config --exists "$2" 2>/dev/null ;;
        file) compgen -G "$2" >/dev/null ;;
        header) echo "#include <$2>" | cc -E -x c - >/dev/null 2>&1 ;;
    esac
}

# missing_packages ROWS...: prints the packages that are missing, one a line.
missing_packages() {
    printf '%s\n' "$@" | while read -r kind what package; do
        [ -z "$kind" ] || package_present "$kind" "$what" || echo "$package"
    done
}

# need_packages ROWS...: installs what is missing. Returns 1, with one line that says what to do,
# when it cannot.
need_packages() {
    local missing
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "${missing// /}" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "missing: ${missing}- install what your system calls these Debian packages" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing: run this once as root, or: apt-get install ${missing}" >&2
        return 1
    fi
    echo "installing: ${missing}"
    local log
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of packages, split on purpose
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "apt-get could not install: ${missing}" >&2
        return 1
    fi
    rm -f "$log"
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -z "${missing// /}" ] || { echo "still missing: ${missing}" >&2; return 1; }
}

# The build tool: an existing build folder keeps its own; otherwise Ninja if it is there.
cmake_generator() {
    if [ -f "$1/CMakeCache.txt" ]; then
        return 0
    fi
    if command -v ninja >/dev/null 2>&1; then
        echo "-GNinja"
    else
        echo "-GUnix Makefiles"
    fi
}

# build_tree FOLDER OPTIONS...: configures and builds, quietly unless it fails.
build_tree() {
    local folder=$1 log generator
    shift
    log=$(mktemp)
    generator=$(cmake_generator "$folder")
    if ! { cmake -S . -B "$folder" ${generator:+"$generator"} "$@" &&
        cmake --build "$folder" --parallel "$(nproc)"; } >"$log" 2>&1; then
        grep -E 'error|Error|FAILED|warning' "$log" | head -n 40 >&2
        echo "build failed; all of it: $log" >&2
        return 1
    fi
    rm -f "$log"
}
