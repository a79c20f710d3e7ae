#!/usr/bin/env bash
# SPDX-License-Identifier: CC0-1.0
# From a fresh Debian 12 to a newsletter that a job queue has delivered: installs what is missing
# (as root), builds Dray, and runs examples/newsletter on sqlite through the `dray` command. The
# mail lands in a Maildir on this machine; nothing is sent anywhere. Run it again whenever you like.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../tests/packages.sh
. tests/packages.sh
trap 'echo "quickstart: stopped at line $LINENO: $BASH_COMMAND" >&2' ERR

say() { printf '\n%s\n' "$*"; }

say "Building Dray in build/ (a minute or so the first time)"
need_packages "$packages_build"
if [ -f build/CMakeCache.txt ]; then
    build_tree build -DDRAY_EXAMPLES=ON
else
    build_tree build -DDRAY_TESTS=OFF -DDRAY_BENCH=OFF
fi

root=$PWD
newsletter=$root/build/examples/newsletter
dray=$root/build/bin/dray
cd "$newsletter"
unset DRAY_CONFIG QUEUE_DRIVER
jobs_in() { "$dray" list --state "$1" --json; }
mkdir -p var/mail/new
letters() { find var/mail/new -type f | wc -l; }
before=$(letters)

say "Pushing one job: import $(wc -l <subscribers.csv) lines of subscribers"
"$dray" push import '{"list": "subscribers.csv", "issue": "2026-11"}'

say "Working until the queue is empty"
"$dray" work --until-empty -q 2>work.log || { tail -n 20 work.log >&2; exit 1; }

after=$(letters)
retried=$(jobs_in done | grep -E '"type": *"send"' | grep -cE '"attempts": *[2-9]' || true)
dead=$(jobs_in dead | wc -l)
[ "$after" -gt 0 ] || { echo "quickstart: no mail was delivered; see $newsletter/work.log" >&2; exit 1; }

cat <<TEXT

Delivered  $after letters, $((after - before)) of them just now (an issue reaches nobody twice)
Retried    $retried (their mail server turned the first attempt away)
Dead       $dead (addresses that cannot work; each says why)
Mail       $newsletter/var/mail (a Maildir: mutt -f, or less on a file in new/)

Next, in $newsletter:
    export PATH=$root/build/bin:\$PATH
    dray list --state dead          who got no letter, and why
    dray status                     counts and totals
    dray show ID                    everything about one job
    dray config                     what is in force, and where it comes from
    less queue.yaml                 the configuration; the handlers: examples/newsletter/jobs
TEXT
