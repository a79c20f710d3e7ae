-- SPDX-License-Identifier: Apache-2.0
-- Whether the user may do what all scripts do to the keys of a queue, and the driver to those of a
-- prefix. It is asked and not tried, so nothing is changed and nobody's bell rings.
local ON_KEYS = {
    {'none', 'DEL EXISTS'},
    {'meta', 'HDEL HGET HINCRBY HMGET HSET'},
    {'jobs', 'HDEL HEXISTS HGET HKEYS HLEN HMGET HSCAN HSET HSETNX'},
    {'state', 'EXISTS HDEL HEXISTS HGET HLEN HMGET HSCAN HSET'},
    {'batches', 'HDEL HEXISTS HGET HGETALL HLEN HSET HSETNX'},
    {'unique', 'HDEL HGET HLEN HSET'},
    {'totals', 'DEL HGETALL HINCRBY HLEN HSET'},
    {'stale', 'HDEL HGET HINCRBY HLEN HMGET HSET'},
    {'leases', 'EXISTS ZADD ZCARD ZRANGE ZRANGEBYSCORE ZREM ZSCAN ZSCORE'},
    {'delayed retrying parked dead done',
        'EXISTS ZADD ZCARD ZRANGE ZRANGEBYSCORE ZREM ZSCAN ZSCORE'},
    {'ready0 ready1 ready2 ready3 ready4 ready5 ready6 ready7 ready8 ready9',
        'EXISTS LINDEX LLEN LRANGE LTRIM RPUSH'},
    {'ending ending_old', 'LLEN LRANGE LTRIM PEXPIRE RPUSH'},
    {'ended ended_old', 'PEXPIRE SADD SCARD SISMEMBER'},
}

-- All that is called, in lists of arguments by command.
local function all_calls(prefix, base)
    local layout, names = '{' .. prefix .. '}:layout', '{' .. prefix .. '}:queues'
    local calls = {TIME = {{}}, GET = {{layout}}, SET = {{layout, '2', 'NX', 'GET'}},
        SADD = {{names, '1'}}, SMEMBERS = {{names}}, PUBLISH = {{base .. 'bell', '1'}}, RENAME = {}}
    for _, name in ipairs({'ended', 'ending'}) do
        table.insert(calls.RENAME, {base .. name, base .. name .. '_old'})
    end
    for _, row in ipairs(ON_KEYS) do
        for name in string.gmatch(row[1], '%S+') do
            for verb in string.gmatch(row[2], '%S+') do
                calls[verb] = calls[verb] or {}
                table.insert(calls[verb], {base .. name})
            end
        end
    end
    return calls
end

-- Plan: now, 'rights'. Beside it: prefix, queue. The answer: the commands that are refused, each
-- with the first key or channel that it is refused for.
local function rights(prefix, queue)
    local refused = {}
    for verb, calls in pairs(all_calls(prefix, '{' .. prefix .. ':' .. queue .. '}:')) do
        for _, words in ipairs(calls) do
            if not redis.acl_check_cmd(verb, spread(words)) then
                refused[#refused + 1] = verb .. (words[1] and ' ' .. words[1] or '')
                break
            end
        end
    end
    table.sort(refused)
    return {'rights', refused}
end
