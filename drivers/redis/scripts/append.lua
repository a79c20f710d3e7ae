-- SPDX-License-Identifier: Apache-2.0
-- The push that nearly all are: one group of jobs of one priority, ready now, to a queue that is
-- known, under ids that are not there. It is a script of its own, straight through, since a call of
-- the other one costs several times what these few commands do. Whatever is different is not
-- touched and answered `careful`; the asker then asks the other script.
--
-- KEYS[1]: the queue's meta key. ARGV[1]: now or 0, priority, formats of the ids and contents, types
-- and how many of each. ARGV[2]: ids and contents. docs/redis.md describes the keys.
local call = redis.call
local plan, bulk = cmsgpack.unpack(ARGV[1]), ARGV[2]
local base = string.sub(KEYS[1], 1, -5)
local jobs, totals = base .. 'jobs', base .. 'totals'
local list = base .. 'ready' .. string.char(48 + plan[2])
local careful = {'careful'}

if call('HGET', KEYS[1], 'layout') ~= '2' then
    return careful
end

local ids = {struct.unpack(plan[3], bulk)}
local n = #ids - 1
local contents = {struct.unpack(plan[4], bulk, ids[n + 1])}
ids[n + 1] = nil

-- Every key is read before the first is written, so that one of another type changes nothing.
local found = call('HMGET', jobs, unpack(ids))
local was_empty = call('LLEN', list) == 0
call('HLEN', totals)

local now = plan[1]
if now == 0 then
    local t = call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local created = struct.pack('>I6', now)
local fields, seen = {}, {}
for i = 1, n do
    local id = ids[i]
    if found[i] or seen[id] then
        return careful
    end
    seen[id] = true
    fields[2 * i - 1], fields[2 * i] = id, created .. contents[i]
end

-- With memory at its limit this one is refused, and none that follows.
if type(redis.pcall('HSET', jobs, unpack(fields))) == 'table' then
    return careful
end

-- What is refused from here on, as to a user who may not, leaves something behind and says so.
local answer = redis.pcall('RPUSH', list, unpack(ids))
for i = 1, #plan[5], 2 do
    local field, count = 'pushed:' .. plan[5][i], string.format('%d', plan[5][i + 1])
    if type(answer) ~= 'table' and
        type(redis.pcall('HINCRBY', totals, field, count)) == 'table' then
        answer = redis.pcall('HSET', totals, field, count) -- it was no number
    end
end
if type(answer) ~= 'table' and was_empty then
    answer = redis.pcall('PUBLISH', base .. 'bell', '1')
end
if type(answer) == 'table' then
    return redis.error_reply('DIRTY ' .. answer.err)
end
return {'appended'}
