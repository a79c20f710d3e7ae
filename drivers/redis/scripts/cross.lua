-- SPDX-License-Identifier: Apache-2.0
-- Whether sets, lists and records agree: a part a call, each part true of one moment.
local PART = 200
local SETS_OF = {{'leases', 'a'}, {'delayed', 'd'}, {'retrying', 'd'}, {'parked', 'd'},
    {'dead', 'x'}, {'done', 'o'}}
local LISTS, STATES, COUNT = 7, 17, 18 -- places after those: ten lists, the states, the count

-- The set that a job in this state is in; nil: a list.
local function set_of(q, text)
    for place = 1, #SETS_OF do
        local name, letter = SETS_OF[place][1], SETS_OF[place][2]
        if letter ~= 'd' and state_fits(text, letter) then
            return q.base .. name
        end
    end
    if state_fits(text, 'd') then
        local s = state_read(text)
        return delayed_key(q, s.attempts, s.releases)
    end
    return nil
end

local function fields_of(found)
    local ids = {}
    for i = 1, #found, 2 do
        ids[#ids + 1] = found[i]
    end
    return ids
end

-- Ids of a batch that are no jobs or have a state of their own, or the batch itself.
local function strays_of_batch(q, name, strays)
    local head, list = batch_parts(call('HGET', q.batches, name))
    if not head then
        strays[#strays + 1] = name
        return
    end
    for _, id in ipairs(batch_ids(list)) do
        if call('HEXISTS', q.jobs, id) == 0 or call('HEXISTS', q.state, id) == 1 then
            strays[#strays + 1] = id
        end
    end
end

-- Ids in a set whose records do not say so.
local function strays_of_set(q, place, cursor)
    local key = q.base .. SETS_OF[place][1]
    local part, strays = call('ZSCAN', key, cursor, 'COUNT', PART), {}
    for _, id in ipairs(fields_of(part[2])) do
        local text = call('HGET', q.state, id)
        if sub(id, 1, 1) == MARK and key == q.leases then
            strays_of_batch(q, id, strays)
        elseif call('HEXISTS', q.jobs, id) == 0 or not text or set_of(q, text) ~= key then
            strays[#strays + 1] = id
        end
    end
    return part[1], strays
end

-- Ids in a list that are not ready, but for those that were cancelled or removed there.
local function strays_of_list(q, place, cursor)
    local priority, from = place - LISTS, tonumber(cursor)
    local ids, strays = call('LRANGE', ready_key(q, priority), from, from + PART - 1), {}
    for _, id in ipairs(ids) do
        local text = call('HGET', q.state, id)
        local ready = call('HEXISTS', q.jobs, id) == 1 and
            (text and state_fits(text, 'r') or not (text or shared_leases(q)[id]))
        if not ready and not call('HGET', q.base .. 'stale', priority .. id) then
            strays[#strays + 1] = id
        end
    end
    return #ids < PART and '0' or string.format('%d', from + PART), strays
end

-- Jobs that are in no set and not ready, and states without a job.
local function homeless(q, cursor)
    local part, ids = call('HSCAN', q.state, cursor, 'COUNT', PART), {}
    for i = 1, #part[2], 2 do
        local id, text = part[2][i], part[2][i + 1]
        local key = set_of(q, text)
        if call('HEXISTS', q.jobs, id) == 0 or (key and not call('ZSCORE', key, id)) then
            ids[#ids + 1] = id
        end
    end
    return part[1], ids
end

-- Jobs of batches that have no lease, and so never end.
local function endless(q)
    local ids = {}
    for _, batch in ipairs(batches_of(q)) do
        if not call('ZSCORE', q.leases, batch.name) then
            ids[#ids + 1] = batch_ids(batch.list)[1]
        end
    end
    return ids
end

-- How many ready jobs are in no list.
local function missing_ready(q)
    local jobs, records = shared_counts(q)
    local ready, listed = call('HLEN', q.jobs) - jobs + records, -q.stale
    for place = 1, #SETS_OF do
        ready = ready - call('ZCARD', q.base .. SETS_OF[place][1])
    end
    for priority = 0, 9 do
        listed = listed + call('LLEN', ready_key(q, priority))
    end
    return math.max(ready - listed, 0)
end

-- Plan: now, 'cross', place from 1, cursor. The answer: the place and cursor to go on with (0 at
-- the end), the place that was looked at (a key's name, or empty: the jobs'), ids, a number of jobs.
local function cross(place, cursor)
    local q = queue_at(1)
    if place == COUNT then
        return {'cross', 0, '0', '', endless(q), missing_ready(q)}
    end
    local name, ids = '', nil
    if place == STATES then
        cursor, ids = homeless(q, cursor)
    elseif place >= LISTS then
        name = 'ready' .. (place - LISTS)
        cursor, ids = strays_of_list(q, place, cursor)
    else
        name = SETS_OF[place][1]
        cursor, ids = strays_of_set(q, place, cursor)
    end
    return {'cross', cursor == '0' and place + 1 or place, cursor, name, ids, 0}
end

