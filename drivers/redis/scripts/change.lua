-- SPDX-License-Identifier: Apache-2.0
-- What a turn changes before it reserves, gathered per queue and written in one go: an id can be
-- settled and pushed again in one turn, so the last word on each field counts.

local function changes_of(q)
    if not q.job_set then
        q.job_set, q.state_set, q.unique_set = {}, {}, {}
        q.lists, q.scores, q.unleased, q.ended, q.count = {}, {}, {}, {}, {}
        q.live = 0
    end
    return q
end

local function add_total(q, kind, job_type, n)
    local field = kind .. job_type
    q.count[field] = (q.count[field] or 0) + n
end

local function append(map, key, a, b)
    local list = map[key]
    if not list then
        list = {}
        map[key] = list
    end
    list[#list + 1] = a
    if b then
        list[#list + 1] = b
    end
end

-- Puts a job among those that wait, now or after a delay.
local function enter_waiting(q, id, s, delay)
    s.owner = ''
    if delay > 0 then
        s.letter, s.at = 'd', now + delay
        append(q.scores, delayed_key(q, s.attempts, s.releases), s.at, id)
    else
        s.letter, s.at = 'r', 0
        append(q.lists, ready_key(q, priority_of(s.flags)), id)
    end
    q.state_set[id] = state_text(s)
end

local function enter_ended(q, id, s, letter)
    s.letter, s.at, s.owner = letter, now, ''
    if has(s.flags, 1) then
        s.flags = s.flags - 1
    end
    append(q.scores, q.base .. (letter == 'x' and 'dead' or 'done'), now, id)
    q.state_set[id] = state_text(s)
    q.live = q.live - 1
end

local function free_unique(q, id, flags)
    if not has(flags, 2) then
        return
    end
    local content = q.job_set[id] or call('HGET', q.jobs, id)
    if content then
        local _, key = content_type_unique(content)
        if (q.unique_set[key] or call('HGET', q.unique, key)) == id then
            q.unique_set[key] = false
        end
    end
end

-- The state of a job as this turn sees it; false: none.
local function state_of(q, id)
    local text = q.state_set[id]
    if text == nil then
        text = q.state_read and q.state_read[id]
    end
    return text
end

-- Reads the states of many ids at once.
local function prefetch_states(q, ids)
    changes_of(q)
    q.state_read = q.state_read or {}
    for from = 1, #ids, 1000 do
        local to = math.min(from + 999, #ids)
        local texts = call('HMGET', q.state, spread(ids, from, to))
        for i = from, to do
            q.state_read[ids[i]] = texts[i - from + 1]
        end
    end
end

local function split_map(map)
    local set, gone = {}, {}
    for field, value in pairs(map) do
        if value then
            set[#set + 1] = field
            set[#set + 1] = value
        else
            gone[#gone + 1] = field
        end
    end
    return set, gone
end

local function in_slices(command, key, list)
    for from = 1, #list, 2000 do
        write(command, key, spread(list, from, math.min(from + 1999, #list)))
    end
end

-- Every key that will be written is read first: one of another type ends the script before
-- anything is changed.
local function probe(q)
    call('HLEN', q.jobs)
    call('HLEN', q.state)
    if next(q.unique_set) then
        call('HLEN', q.unique)
    end
    if next(q.count) then
        call('HLEN', q.totals)
    end
    if #q.unleased > 0 then
        call('ZCARD', q.leases)
    end
    for key in pairs(q.scores) do
        call('ZCARD', key)
    end
    if #q.ended > 0 then
        q.nended = call('SCARD', q.base .. 'ended')
    end
    q.was_empty = false
    for key in pairs(q.lists) do
        if call('LLEN', key) == 0 then
            q.was_empty = true
        end
    end
end

-- Ids that have ended are remembered in two sets that take turns, each for dedupe_keep, or for
-- half a million ids.
local function remember_ended(q, keep)
    local key, old = q.base .. 'ended', q.base .. 'ended_old'
    if q.nended > 0 and (now - q.turned >= keep or now < q.turned or q.nended >= 500000) then
        write('RENAME', key, old)
        write('PEXPIRE', old, keep)
        q.nended = 0
    end
    if q.nended == 0 then
        write('HSET', q.meta, 'turned', now)
    end
    in_slices('SADD', key, q.ended)
    if q.nended == 0 then
        write('PEXPIRE', key, keep * 2)
    end
end

-- Where a job goes is written before where it was is cleared.
local function flush(q, keep)
    local jobs, jobs_gone = split_map(q.job_set)
    local states, states_gone = split_map(q.state_set)
    local keys, keys_gone = split_map(q.unique_set)
    in_slices('HSET', q.jobs, jobs)
    in_slices('HSET', q.unique, keys)
    in_slices('HSET', q.state, states)
    for key, list in pairs(q.scores) do
        in_slices('ZADD', key, list)
    end
    for key, list in pairs(q.lists) do
        in_slices('RPUSH', key, list)
    end
    if #q.ended > 0 and keep > 0 then
        remember_ended(q, keep)
    end
    in_slices('ZREM', q.leases, q.unleased)
    in_slices('HDEL', q.state, states_gone)
    in_slices('HDEL', q.unique, keys_gone)
    in_slices('HDEL', q.jobs, jobs_gone)
    for field, n in pairs(q.count) do
        write('HINCRBY', q.totals, field, n)
    end
    if q.was_empty then
        ring(q)
    end
end
