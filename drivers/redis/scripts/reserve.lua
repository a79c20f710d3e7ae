-- SPDX-License-Identifier: Apache-2.0
-- Handing out: sweep, promote, prune, then lease. Each is bounded a call; what is left makes the
-- next look due at once.
local SWEEP, PROMOTE, PRUNE = 200, 1000, 100
local BYTES_MAX = 16 * 1024 * 1024 -- handed out in one answer, unless one job alone is larger

local function due_of(key, most, limit)
    local found = call('ZRANGEBYSCORE', key, '-inf', most, 'WITHSCORES', 'LIMIT', 0, limit)
    local ids, scores = {}, {}
    for i = 1, #found, 2 do
        ids[#ids + 1] = found[i]
        scores[#scores + 1] = tonumber(found[i + 1])
    end
    return ids, scores
end

-- Back to ready: leases whose end has passed.
local function sweep(q)
    local ids = due_of(q.leases, '(' .. now, SWEEP)
    if #ids == 0 then
        return false
    end
    local texts = call('HMGET', q.state, spread(ids))
    for i, id in ipairs(ids) do
        local content = texts[i] and sub(texts[i], 1, 1) == 'a' and call('HGET', q.jobs, id)
        if content then
            local s = state_read(texts[i])
            s.error = 'lease expired'
            add_total(q, 'failed:', (content_type_unique(content)), 1)
            enter_waiting(q, id, s, 0)
        end
        q.unleased[#q.unleased + 1] = id
    end
    return #ids == SWEEP
end

local function promote_set(q, name, found)
    local ids, scores = due_of(q.base .. name, now, PROMOTE)
    for i, id in ipairs(ids) do
        found[#found + 1] = {id = id, due = scores[i], order = #found, set = q.base .. name}
    end
    return #ids == PROMOTE
end

-- To ready: delayed jobs that are due, the one that was due first before the others.
local function promote(q, gone)
    local found, more = {}, false
    for _, name in ipairs({'delayed', 'retrying', 'parked'}) do
        more = promote_set(q, name, found) or more
    end
    if #found == 0 then
        return false
    end
    table.sort(found, function(a, b)
        if a.due ~= b.due then
            return a.due < b.due
        end
        return a.order < b.order
    end)
    for _, one in ipairs(found) do
        local text = call('HGET', q.state, one.id)
        if text and sub(text, 1, 1) == 'd' then
            append(q.lists, ready_key(q, priority_of(byte(text, 18))), one.id)
            q.state_set[one.id] = 'r' .. sub(text, 2)
        end
        append(gone, one.set, one.id)
    end
    return more
end

local function prune_old(q, name, keep, gone)
    if keep < 0 then
        return false
    end
    local ids = due_of(q.base .. name, '(' .. (now - keep), PRUNE)
    for _, id in ipairs(ids) do
        q.job_set[id], q.state_set[id] = false, false
        append(gone, q.base .. name, id)
    end
    return #ids == PRUNE
end

-- The ended jobs beyond the number to keep, oldest first.
local function prune_many(q, most, gone)
    local dead, done = q.base .. 'dead', q.base .. 'done'
    local over = call('ZCARD', dead) + call('ZCARD', done) - most
    if over <= 0 then
        return false
    end
    local all = {}
    for _, key in ipairs({dead, done}) do
        local ids, scores = due_of(key, '+inf', math.min(over, PRUNE))
        for i, id in ipairs(ids) do
            all[#all + 1] = {id = id, at = scores[i], set = key}
        end
    end
    table.sort(all, function(a, b)
        return a.at < b.at
    end)
    for i = 1, math.min(over, PRUNE) do
        q.job_set[all[i].id], q.state_set[all[i].id] = false, false
        append(gone, all[i].set, all[i].id)
    end
    return over > PRUNE
end

local function write_kept(q, gone)
    local any = false
    for key in pairs(gone) do
        call('ZCARD', key)
        any = true
    end
    if not any and not (q.unleased and #q.unleased > 0) then
        return
    end
    probe(q)
    flush(q, 0)
    for key, list in pairs(gone) do
        in_slices('ZREM', key, list)
    end
end

-- Forgets what has been written, so that the next part begins empty.
local function forget(q)
    q.job_set = nil
    q.state_read, q.job_read, q.live_read = nil, nil, nil
end

local function tend_queue(q, want)
    local gone = {}
    forget(q)
    changes_of(q)
    local more = sweep(q)
    more = promote(q, gone) or more
    more = prune_old(q, 'dead', want.keep_dead, gone) or more
    more = prune_old(q, 'done', want.keep_done, gone) or more
    write_kept(q, gone)
    forget(q)
    if want.keep_max >= 0 then
        gone = {}
        changes_of(q)
        more = prune_many(q, want.keep_max, gone) or more
        write_kept(q, gone)
        forget(q)
    end
    return more
end

-- Entries of a list whose jobs were cancelled or removed while they waited there.
local function drop_stale(q, priority, ids)
    local fields, drop = {}, {}
    if q.stale <= 0 then
        return drop
    end
    for i, id in ipairs(ids) do
        fields[i] = priority .. id
    end
    local counts = call('HMGET', q.base .. 'stale', spread(fields))
    local left = {}
    for i, id in ipairs(ids) do
        local n = left[id] or tonumber(counts[i] or 0)
        drop[i] = n > 0
        left[id] = n > 0 and n - 1 or 0
        if n > 0 then
            q.dropped = q.dropped or {}
            q.dropped[#q.dropped + 1] = fields[i]
        end
    end
    return drop
end

local function write_dropped(q)
    for _, field in ipairs(q.dropped or {}) do
        if write('HINCRBY', q.base .. 'stale', field, -1) <= 0 then
            write('HDEL', q.base .. 'stale', field)
        end
        write('HINCRBY', q.meta, 'stale', -1)
        q.stale = q.stale - 1
    end
    q.dropped = nil
end

-- Leases one job: its new state, and its row in the answer.
local function lease(q, want, id, content, text, batch)
    local s
    if text then
        s = state_read(text)
        s.letter, s.counter, s.nonce = 'a', s.counter + 1, want.nonce
        s.attempts, s.at, s.owner = s.attempts + 1, want.until_ms, want.owner
        text = state_text(s)
    else
        local key = sub(content, 7, 7) .. (byte(content, 21) > 0 and 'u' or '')
        text = want.fresh[key]
        if not text then
            s = state_fresh(content)
            s.letter, s.counter, s.nonce, s.attempts = 'a', 1, want.nonce, 1
            s.at, s.owner = want.until_ms, want.owner
            text = state_text(s)
            want.fresh[key] = text
        end
    end
    local n = #batch.states
    batch.states[n + 1], batch.states[n + 2] = id, text
    batch.scores[n + 1], batch.scores[n + 2] = want.until_ms, id
    local rows = want.rows
    n = #rows
    rows[n + 1], rows[n + 2], rows[n + 3], rows[n + 4] = q.index - 1, id, content, text
    want.left = want.left - 1
    want.bytes = want.bytes + #content + #text
end

-- Takes from one list until there is enough or nothing left.
local function take_from(q, want, priority)
    local key = ready_key(q, priority)
    while want.left > 0 and want.bytes < BYTES_MAX do
        local ids = call('LRANGE', key, 0, math.min(want.left, want.slice) - 1)
        if #ids == 0 then
            return
        end
        local contents = call('HMGET', q.jobs, spread(ids))
        local states = call('HMGET', q.state, spread(ids))
        local drop = drop_stale(q, priority, ids)
        local batch, seen = {states = {}, scores = {}}, {}
        for i, id in ipairs(ids) do
            local waits = not states[i] or sub(states[i], 1, 1) == 'r'
            if contents[i] and waits and not drop[i] and not seen[id] then
                lease(q, want, id, contents[i], states[i], batch)
                seen[id] = true
            end
        end
        if #batch.states > 0 then
            call('ZCARD', q.leases)
            write('ZADD', q.leases, spread(batch.scores))
            write('HSET', q.state, spread(batch.states))
        end
        write('LPOP', key, #ids)
        write_dropped(q)
    end
end

-- What this nonce already holds, with the lease begun again: the asker counts it from now.
local function replay(q, want)
    local ids = call('ZRANGE', q.leases, 0, -1)
    for from = 1, #ids, 500 do
        local to = math.min(from + 499, #ids)
        local texts = call('HMGET', q.state, spread(ids, from, to))
        for i = from, to do
            local text = texts[i - from + 1]
            if want.left > 0 and text and sub(text, 1, 1) == 'a' and
                sub(text, 10, 17) == want.nonce then
                local content = call('HGET', q.jobs, ids[i])
                local s = state_read(text)
                s.at, s.owner = math.max(s.at, want.until_ms), want.owner
                text = state_text(s)
                write('ZADD', q.leases, s.at, ids[i])
                write('HSET', q.state, ids[i], text)
                local rows = want.rows
                local n = #rows
                rows[n + 1], rows[n + 2], rows[n + 3], rows[n + 4] =
                    q.index - 1, ids[i], content, text
                want.left = want.left - 1
            end
        end
    end
end

local function first_score(key)
    local row = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    return row[2] and tonumber(row[2])
end

-- Milliseconds until this queue could have something, or -1.
local function next_look(q)
    if not q.paused then
        for priority = 0, 9 do
            if call('LLEN', ready_key(q, priority)) > 0 then
                return 0
            end
        end
    end
    local best = -1
    local function at(score, more)
        if score then
            local wait = math.max(score + more - now, 0)
            best = (best < 0 or wait < best) and wait or best
        end
    end
    at(first_score(q.leases), 1)
    for _, name in ipairs({'delayed', 'retrying', 'parked'}) do
        at(first_score(q.base .. name), 0)
    end
    return best
end

local function remember_consumer(q, want)
    if want.max > 0 and (now - q.consumed >= 10000 or now < q.consumed) then
        write('HSET', q.meta, 'consumed', now, 'consumer', want.owner)
    end
end

local function reserve_queue(q, want)
    local more = tend_queue(q, want)
    remember_consumer(q, want)
    if want.replay then
        replay(q, want)
    end
    if not q.paused and want.left > 0 then
        for priority = 0, 9 do
            take_from(q, want, priority)
        end
    end
    return more and 0 or next_look(q)
end

local function reserve_all(row)
    local want = {max = row[1], left = row[1], replay = row[3] == 1, nonce = row[5],
        owner = row[6], until_ms = now + row[4], keep_done = row[7], keep_dead = row[8],
        keep_max = row[9], rows = {}, fresh = {}, bytes = 0, slice = 128}
    local best = -1
    for _, index in ipairs(row[2]) do
        local q = queue_at(index + 1)
        if q.known then
            local wait = reserve_queue(q, want)
            best = (wait >= 0 and (best < 0 or wait < best)) and wait or best
        end
    end
    return best, want.rows
end
