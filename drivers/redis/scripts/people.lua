-- SPDX-License-Identifier: Apache-2.0
-- What people ask for: changes, listings, statistics. The plan: now, what, and what that needs.
local KICK, CANCEL, REMOVE, PAUSE, RESUME, RESET = 1, 2, 3, 4, 5, 6

-- All that a change may call.
local function need_all(q)
    need(q.jobs, 'HDEL', 'HGET')
    need(q.state, 'HSET', 'HDEL', 'HGET')
    need(q.batches, 'HSET', 'HDEL')
    need(q.unique, 'HSET', 'HDEL', 'HGET')
    need(q.totals, 'HINCRBY', 'DEL')
    need(q.base .. 'stale', 'HINCRBY')
    need(q.meta, 'HINCRBY', 'HSET', 'HDEL')
    need(q.leases, 'ZADD')
    for _, name in ipairs({'leases', 'delayed', 'retrying', 'parked', 'dead', 'done'}) do
        need(q.base .. name, 'ZREM')
    end
    need(q.base .. 'dead', 'ZADD')
    for priority = 0, 9 do
        need(ready_key(q, priority), 'RPUSH')
    end
    need_bell(q)
end

-- Reads every key of a queue once, so that one of another type stops a change before it begins.
local function probe_all(q)
    need_all(q)
    call('HLEN', q.jobs)
    call('HLEN', q.state)
    call('HLEN', q.batches)
    call('HLEN', q.unique)
    call('HLEN', q.totals)
    call('HLEN', q.base .. 'stale')
    call('ZCARD', q.leases)
    for _, name in ipairs({'delayed', 'retrying', 'parked', 'dead', 'done'}) do
        call('ZCARD', q.base .. name)
    end
    for priority = 0, 9 do
        call('LLEN', ready_key(q, priority))
    end
end

-- A list cannot be searched quickly: the entry stays, and is counted as stale.
local function leave_list(q, id, s)
    count(q.base .. 'stale', priority_of(s.flags) .. id, 1)
    count(q.meta, 'stale', 1)
end

local function enter_ready(q, id, s)
    local key = ready_key(q, priority_of(s.flags))
    s.letter, s.at, s.owner = 'r', 0, ''
    write('HSET', q.state, id, state_text(s))
    if write('RPUSH', key, id) == 1 then
        ring(q)
    end
end

local function kick(q, id, s, content)
    if s.letter == 'r' then
        return 'O'
    elseif s.letter == 'a' or s.letter == 'o' then
        return 'C'
    end
    local from = delayed_key(q, s.attempts, s.releases)
    if s.letter == 'x' then
        local _, key = content_type_unique(content)
        if key ~= '' then
            if call('HGET', q.unique, key) then
                return 'D'
            end
            write('HSET', q.unique, key, id)
        end
        from = q.base .. 'dead'
        s.attempts, s.releases, s.error = 0, 0, ''
    end
    enter_ready(q, id, s)
    write('ZREM', from, id)
    return 'O'
end

local function release_unique(q, id, content)
    local _, key = content_type_unique(content)
    if key ~= '' and call('HGET', q.unique, key) == id then
        write('HDEL', q.unique, key)
    end
end

local function cancel(q, id, s, content)
    if s.letter == 'x' or s.letter == 'o' then
        return 'C'
    end
    if s.letter == 'a' then
        if not has(s.flags, 1) then
            s.flags = s.flags + 1
            write('HSET', q.state, id, state_text(s))
        end
        return 'O'
    end
    local was = s.letter
    local from = delayed_key(q, s.attempts, s.releases)
    s.letter, s.at, s.error, s.owner = 'x', now, 'cancelled', ''
    s.flags = has(s.flags, 1) and s.flags - 1 or s.flags
    write('ZADD', q.base .. 'dead', now, id)
    write('HSET', q.state, id, state_text(s))
    if was == 'r' then
        leave_list(q, id, s)
    else
        write('ZREM', from, id)
    end
    release_unique(q, id, content)
    count(q.totals, 'died:' .. content_type_unique(content), 1)
    return 'O'
end

local function remove(q, id, s, content, force)
    if s.letter == 'a' and not force then
        return 'C'
    end
    local sets = {a = q.leases, x = q.base .. 'dead', o = q.base .. 'done',
        d = delayed_key(q, s.attempts, s.releases)}
    if s.letter == 'r' then
        leave_list(q, id, s)
    else
        write('ZREM', sets[s.letter], id)
    end
    if s.letter ~= 'x' and s.letter ~= 'o' then
        release_unique(q, id, content)
    end
    write('HDEL', q.state, id)
    write('HDEL', q.jobs, id)
    return 'O'
end

-- Not a record of this layout: wherever it may be named, but for a list, which passes over it.
local function remove_strange(q, id)
    for _, name in ipairs({'leases', 'delayed', 'retrying', 'parked', 'dead', 'done'}) do
        write('ZREM', q.base .. name, id)
    end
    write('HDEL', q.state, id)
    write('HDEL', q.jobs, id)
    return 'O'
end

-- A job that shares its lease gets one of its own.
local function part(q, id, batch)
    write('ZADD', q.leases, digits(state_read(batch.head).at), id)
    write('HSET', q.state, id, batch.head)
    batch.list = batch_without(batch.list, id)
    batch_write(q, batch.name, batch.head, batch.list)
    q.shared[id] = nil
    return batch.head
end

local function change_job(q, what, id, force)
    local content = call('HGET', q.jobs, id)
    if not content then
        return 'N'
    end
    local text = call('HGET', q.state, id)
    if not content_fits(content) or (text and #text < STATE_HEAD) then
        return what == REMOVE and remove_strange(q, id) or 'C'
    end
    local batch = not text and shared_leases(q)[id]
    if batch then
        if what == KICK or (what == REMOVE and not force) then
            return 'C'
        end
        text = part(q, id, batch)
    end
    local s = text and state_read(text) or state_fresh(content)
    if what == KICK then
        return kick(q, id, s, content)
    elseif what == CANCEL then
        return cancel(q, id, s, content)
    end
    return remove(q, id, s, content, force)
end

local function change_queue(q, what)
    if what == RESET then
        write('DEL', q.totals)
    elseif what == PAUSE then
        write('HSET', q.meta, 'layout', LAYOUT, 'paused', '1')
    else
        write('HDEL', q.meta, 'paused')
        ring(q)
    end
    return {'change', 'O'}
end

-- Plan: now, 'change', what, force, ids, register.
local function change(what, force, ids, registered)
    local q = queue_at(1)
    if what == PAUSE and not q.known and registered ~= 1 then
        return {'register', {0}}
    end
    probe_all(q)
    -- With memory at its limit changes made by people pass.
    call('DEL', q.base .. 'none')
    if what >= PAUSE then
        return change_queue(q, what)
    end
    local letters = {}
    for i, id in ipairs(ids) do
        letters[i] = q.known and change_job(q, what, id, force == 1) or 'N'
    end
    return {'change', table.concat(letters)}
end

-- When the job next in turn was pushed, or 0.
local function oldest_ready(q)
    for priority = 0, 9 do
        local id = call('LINDEX', ready_key(q, priority), 0)
        local content = id and call('HGET', q.jobs, id)
        if content_fits(content) then
            return (parse('>I6', content))
        end
    end
    return 0
end

-- Plan: now, 'stats'. One row a queue: its counts, its consumer, its totals as names and numbers.
local function stats()
    local answer = {'stats'}
    for index = 1, #KEYS do
        local q = queue_at(index)
        local consumer = call('HGET', q.meta, 'consumer') or ''
        local counts = {}
        for i, name in ipairs({'delayed', 'retrying', 'parked', 'leases', 'dead', 'done'}) do
            counts[i] = call('ZCARD', q.base .. name)
        end
        local jobs, records = shared_counts(q)
        counts[4] = counts[4] + jobs - records
        counts[7] = call('HLEN', q.jobs)
        answer[#answer + 1] = {q.paused and 1 or 0, counts, consumer,
            consumer ~= '' and math.max(now - q.consumed, 0) or 0, oldest_ready(q),
            call('HGETALL', q.totals)}
    end
    return answer
end

-- Plan: now, 'ids', cursor, name of a key: jobs, or a sorted set. The ids that it holds: all at once
-- if they are few, else a part of them, some perhaps twice. Payloads are read on the way, so the
-- parts are small.
local function ids_of(cursor, name)
    local key = queue_at(1).base .. name
    local part
    if name == 'jobs' then
        if cursor == '0' and call('HLEN', key) <= 10000 then
            return {'ids', '0', call('HKEYS', key)}
        end
        part = call('HSCAN', key, cursor, 'COUNT', 200)
    else
        if cursor == '0' and call('ZCARD', key) <= 10000 then
            return {'ids', '0', call('ZRANGE', key, 0, -1)}
        end
        part = call('ZSCAN', key, cursor, 'COUNT', 1000)
    end
    local ids = {}
    for i = 1, #part[2], 2 do
        ids[#ids + 1] = part[2][i]
    end
    return {'ids', part[1], ids}
end

-- Plan: now, 'jobs', letters (empty: all), type (empty: all), since, ids. Rows of id, content and
-- state; an empty state is that of a job never handed out.
local function jobs_of(letters, job_type, since, ids)
    local q = queue_at(1)
    local rows = {}
    if #ids == 0 then
        return {'jobs', now, rows}
    end
    local texts = call('HMGET', q.state, spread(ids))
    for i, id in ipairs(ids) do
        local batch = not texts[i] and shared_leases(q)[id]
        local text = batch and batch.head or texts[i]
        local letter = text and sub(text, 1, 1) or 'r'
        local fits = letters == '' or string.find(letters, letter, 1, true)
        local content = fits and call('HGET', q.jobs, id)
        if content and (job_type == '' or content_type_unique(content) == job_type) and
            (not content_fits(content) or parse('>I6', content) >= since) then
            local n = #rows
            rows[n + 1], rows[n + 2], rows[n + 3] = id, content, text or ''
        end
    end
    return {'jobs', now, rows}
end

-- Puts ids that have ended out of a list into a set. Returns how many more may be.
local function fold_list(q, list, most, keep)
    local key = q.base .. 'ended'
    while most > 0 do
        local texts, ids = call('LRANGE', list, '0', '99'), {}
        if #texts == 0 then
            break
        end
        for _, text in ipairs(texts) do
            for _, id in ipairs(batch_ids(text)) do
                ids[#ids + 1] = id
            end
        end
        local fresh = take_turns(key, call('SCARD', key), q.turned, keep)
        if fresh then
            write('HSET', q.meta, 'turned', digits(now))
            q.turned = now
        end
        for from = 1, #ids, 1000 do
            write('SADD', key, spread(ids, from, math.min(from + 999, #ids)))
        end
        if fresh then
            write('PEXPIRE', key, digits(keep * 2))
        end
        write('LTRIM', list, digits(#texts), '-1')
        most = most - #texts - #ids
    end
    return most
end

-- Plan: now, 'fold', dedupe_keep. What ended lately, where it can be looked up; 1: not all of it
-- yet.
-- Of one queue or more. Nothing that anybody sees is changed by it.
local function fold(keep)
    local most = 20000
    call('DEL', sub(KEYS[1], 1, -5) .. 'none') -- with memory at its limit, too
    for index = 1, #KEYS do
        local q = queue_at(index)
        most = fold_list(q, q.base .. 'ending_old', most, keep)
        most = fold_list(q, q.base .. 'ending', most, keep)
    end
    return {'fold', most > 0 and 0 or 1}
end

return finish(function()
    local what = plan[2]
    if what == 'change' then
        return change(plan[3], plan[4], plan[5], plan[6])
    elseif what == 'stats' then
        return stats()
    elseif what == 'ids' then
        return ids_of(plan[3], plan[4])
    elseif what == 'fold' then
        return fold(plan[3])
    elseif what == 'cross' then
        return cross(plan[3], plan[4])
    elseif what == 'rights' then
        return rights(ARGV[2], ARGV[3])
    end
    return jobs_of(plan[3], plan[4], plan[5], plan[6])
end)
