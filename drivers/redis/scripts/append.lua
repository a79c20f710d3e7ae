-- SPDX-License-Identifier: Apache-2.0
-- The push that nearly all are: jobs of one priority, ready now, to a queue that is known, under
-- ids that are not there. It is a script of its own, straight through, since a call of the other
-- one costs several times what these few commands do. Whatever is different is left as it was and
-- answered `careful`; the asker then asks the other script.
--
-- KEYS[1]: the queue's meta key. ARGV: now or 0, priority, how many jobs, their ids, their
-- contents, then types and how many of each. docs/redis.md describes the keys.
local call, try = redis.call, redis.pcall
local base, n = string.sub(KEYS[1], 1, -5), tonumber(ARGV[3])
local jobs, totals, list = base .. 'jobs', base .. 'totals', base .. 'ready' .. ARGV[2]
local careful = {'careful'}

if call('HGET', KEYS[1], 'layout') ~= '2' then
    return careful
end
local now = tonumber(ARGV[1])
if now == 0 then
    local t = call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local created = struct.pack('>I6', now)

local function failed(answer)
    return type(answer) == 'table' and answer.err
end

-- As it was, or the error that says that it is not.
local function undo(listed, why)
    if listed > 0 then
        why = failed(try('LTRIM', list, '0', string.format('%d', -1 - listed))) or why
    end
    local left = failed(try('HDEL', jobs, unpack(ARGV, 4, n + 3)))
    return left and redis.error_reply('DIRTY ' .. why) or careful
end

-- With memory at its limit the first command is refused, and none that follows. Only what was not
-- there is written, so it can be taken back.
if n == 1 then
    if try('HSETNX', jobs, ARGV[4], created .. ARGV[5]) ~= 1 then
        return careful
    end
else
    local found, seen, fields = try('HMGET', jobs, unpack(ARGV, 4, n + 3)), {}, {}
    if failed(found) then
        return careful
    end
    for i = 1, n do
        local id = ARGV[i + 3]
        if found[i] or seen[id] then
            return careful
        end
        seen[id] = true
        fields[2 * i - 1], fields[2 * i] = id, created .. ARGV[n + i + 3]
    end
    if failed(try('HSET', jobs, unpack(fields))) then
        return careful
    end
end
local length = try('RPUSH', list, unpack(ARGV, 4, n + 3))
if failed(length) then
    return undo(0, length.err)
end
-- Whoever may not ring has pushed nothing.
local rung = length == n and try('PUBLISH', base .. 'bell', '1')
if failed(rung) then
    return undo(n, rung.err)
end
for i = 2 * n + 4, #ARGV, 2 do
    local field = 'pushed:' .. ARGV[i]
    local answer = try('HINCRBY', totals, field, ARGV[i + 1])
    if failed(answer) and (string.find(answer.err, 'integer', 1, true) or
        string.find(answer.err, 'overflow', 1, true)) then
        answer = try('HSET', totals, field, ARGV[i + 1]) -- it was no number
    end
    if failed(answer) then
        return undo(n, answer.err)
    end
end
return {'appended'}
