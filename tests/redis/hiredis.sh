#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The driver calls no more of hiredis than what both 0.14 (Debian 12) and 1.2 (Debian 13) have in
# hiredis.h and take in the same way; anything else would not build or load with one of them.
set -euo pipefail

common='
freeReplyObject
redisBufferRead
redisConnectNonBlock
redisConnectUnixNonBlock
redisEnableKeepAlive
redisFormatCommandArgv
redisFree
redisFreeCommand
redisGetReplyFromReader
'

called=$(nm -D --undefined-only "$DRAY_DRIVER_PATH/redis.so" |
    sed -n 's/^ *U \(redis[A-Z][A-Za-z]*\|freeReplyObject\)\(@.*\)\{0,1\}$/\1/p')
[ -n "$called" ] || { echo "redis.so calls nothing of hiredis" >&2; exit 1; }
for name in $called; do
    case $common in
        *"
$name
"*) ;;
        *) echo "redis.so calls $name, which is not in every version of hiredis from 0.14 on" >&2
            exit 1 ;;
    esac
done
