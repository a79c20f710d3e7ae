#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Jobs that do nothing, end to end, through Sidekiq and BullMQ and through Dray, on one Redis server
# that this script starts and ends: jobs a second from the first push to the last job handled, and
# Dray's rate divided by theirs. Not part of the tests. A peer that is not installed is left out:
#
#     apt-get install ruby-sidekiq
#     npm install --prefix FOLDER bullmq ioredis    and NODE_PATH=FOLDER/node_modules
#
#     bench/peers/compare.sh DRAY-BENCH [JOBS [ROUNDS]]
#
# Each side pushes in its own kind of batch, 1000 at once (Dray: 100), while its workers work. Of the
# peers' settings below, and of Dray's, the best counts. A peer's clock starts when its workers have
# done a first job, and stops when its queue is empty, which is a little before the last has ended.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != --inside ]; then
    [ $# -ge 1 ] || { sed -n '3,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 64; }
    exec "$here/../with_redis.sh" "$here/compare.sh" --inside "$1" "${2:-20000}" "${3:-3}"
fi
bench=$2 jobs=$3 rounds=$4 config=$6
REDIS_URL=$(sed -n 's/.*url: "\(.*\)".*/\1/p' "$config")
export REDIS_URL

children=()
stop_workers() {
    local child
    for child in "${children[@]}"; do
        kill -KILL "$child" || true
        wait "$child" || true
    done 2>/dev/null
    children=()
}

# sidekiq PROCESSES THREADS, bullmq PROCESSES CONCURRENCY: print jobs a second.
sidekiq() {
    local i
    for ((i = 0; i < $1; i++)); do
        command sidekiq -r "$here/sidekiq_job.rb" -c "$2" >/dev/null 2>&1 &
        children+=($!)
    done
    timeout 120 ruby "$here/sidekiq_push.rb" "$jobs" 2>/dev/null || echo 0
    stop_workers
}

bullmq() {
    local i
    for ((i = 0; i < $1; i++)); do
        node "$here/bullmq.js" work "$2" >/dev/null 2>&1 &
        children+=($!)
    done
    timeout 120 node "$here/bullmq.js" push "$jobs" || echo 0
    stop_workers
}

# The best of Dray's contests from end to end; each is a median of its own.
dray() {
    "$bench" -c "$config" --only e2e --quick --jobs "$((jobs * 10))" --json 2>/dev/null |
        sed 's/"name":"dray",/\n&/g' |
        sed -n 's/^"name":"dray","dispatched":[0-9]*,"handled":[0-9]*,"measures":{"rate":{[^}]*"median":\([0-9.]*\).*/\1/p' |
        sort -g | tail -n 1
}

sides=(dray)
if command -v sidekiq >/dev/null 2>&1; then
    sides+=('sidekiq 1 10' 'sidekiq 2 10')
    echo "Sidekiq $(ruby -e 'require "sidekiq"; print Sidekiq::VERSION'), $(ruby -e 'print RUBY_DESCRIPTION')"
else
    echo "left out: Sidekiq (apt-get install ruby-sidekiq)"
fi
if node -e 'require("bullmq"); require("ioredis")' 2>/dev/null; then
    sides+=('bullmq 1 100' 'bullmq 2 100')
    echo "BullMQ $(node -p 'require("bullmq/package.json").version'), node $(node -v)"
else
    echo "left out: BullMQ (npm install --prefix FOLDER bullmq ioredis, NODE_PATH=FOLDER/node_modules)"
fi
redis-server --version
echo "$jobs jobs, $rounds rounds, $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"

results=$(mktemp)
trap 'rm -f "$results"' EXIT
for ((round = 0; round < rounds; round++)); do
    for side in "${sides[@]}"; do
        # shellcheck disable=SC2086 # a function and its arguments
        printf '%s\t%s\n' "$side" "$($side)" >>"$results"
    done
done

# Medians, and the ratio to the best of each peer.
sort -t "$(printf '\t')" -k1,1 -k2,2g "$results" | awk -F '\t' '
    { n[$1]++; rate[$1, n[$1]] = $2 }
    END {
        for (side in n) {
            median[side] = rate[side, int((n[side] + 1) / 2)]
            split(side, word, " ")
            if (median[side] + 0 > best[word[1]] + 0) best[word[1]] = median[side]
        }
        for (side in n) {
            ratio = median[side] > 0 ? sprintf("  dray / it %.1f", median["dray"] / median[side]) : ""
            printf("%-14s %9.0f jobs/s  (%.0f to %.0f)%s\n", side, median[side], rate[side, 1], rate[side, n[side]], side == "dray" ? "" : ratio)
        }
        for (peer in best)
            if (peer != "dray" && best[peer] > 0)
                printf "dray / best of %s: %.1f\n", peer, best["dray"] / best[peer]
    }' | sort
