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
        local content = state_fits(texts[i], 'a') and call('HGET', q.jobs, id)
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
        if state_fits(text, 'd') then
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
        q.gone[#q.gone + 1] = id
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
        q.gone[#q.gone + 1] = all[i].id
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
    if not any and #q.unleased == 0 then
        return
    end
    probe(q)
    flush(q, 0)
    for key, list in pairs(gone) do
        in_slices('ZREM', key, list)
    end
end

local SETS = {'delayed', 'retrying', 'parked', 'dead', 'done'}

-- The keys of a queue's sorted sets but the leases, and of its lists.
local function keys_of(q)
    local sets, lists = {}, {}
    for i, name in ipairs(SETS) do
        sets[i] = q.base .. name
    end
    for priority = 0, 9 do
        lists[priority + 1] = ready_key(q, priority)
    end
    return sets, lists
end

local function first_score(key)
    local row = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    return row[2] and tonumber(row[2])
end

-- Moves what has come due and forgets what is not kept. Most queues have nothing but jobs that are
-- ready or leased, which two looks tell. Returns whether there is more to do.
local function tend_queue(q, want)
    local gone, more = {}, false
    q.first_lease = first_score(q.leases)
    q.has_sets = call('EXISTS', spread(q.set_keys)) > 0
    local expired = q.first_lease and q.first_lease < now
    if not expired and not q.has_sets then
        return false
    end
    forget(q)
    changes_of(q)
    if expired then
        more = sweep(q)
    end
    if q.has_sets then
        more = promote(q, gone) or more
        more = prune_old(q, 'dead', want.keep_dead, gone) or more
        more = prune_old(q, 'done', want.keep_done, gone) or more
    end
    write_kept(q, gone)
    forget(q)
    if q.has_sets and want.keep_max >= 0 then
        gone = {}
        changes_of(q)
        more = prune_many(q, want.keep_max, gone) or more
        write_kept(q, gone)
        forget(q)
    end
    if expired then
        q.first_lease = first_score(q.leases)
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
        local n = left[id] or tonumber(counts[i]) or 0
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

-- The state of a job that is handed out for the first time.
local function first_state(want, flags)
    local text = want.fresh[flags]
    if not text then
        text = state_text({letter = 'a', counter = 1, nonce = want.nonce, flags = flags,
            attempts = 1, releases = 0, at = want.until_ms, owner = want.owner, error = '',
            progress = '', result = ''})
        want.fresh[flags] = text
    end
    return text
end

local function next_state(want, priority, content, text)
    if not text then
        return first_state(want, priority * 16 + (byte(content, 21) > 0 and 2 or 0))
    end
    local s = state_read(text)
    s.letter, s.counter, s.nonce = 'a', s.counter + 1, want.nonce
    s.attempts, s.at, s.owner = s.attempts + 1, want.until_ms, want.owner
    return state_text(s)
end

-- Whether these entries are all jobs that were never handed out, without unique keys.
local function all_fresh(q, ids, contents, states)
    local seen = {}
    if q.stale > 0 then
        return false
    end
    for i = 1, #ids do
        local id, content = ids[i], contents[i]
        if states[i] or seen[id] or not content_fits(content) or byte(content, 21) > 0 then
            return false
        end
        seen[id] = true
    end
    return true
end

-- Which of these entries can be handed out, and their new states.
local function choose(q, want, priority, ids, contents, states)
    local drop, seen = drop_stale(q, priority, ids), {}
    local chosen, with, texts = {}, {}, {}
    for i = 1, #ids do
        local id, content, text = ids[i], contents[i], states[i]
        local waits = not text or state_fits(text, 'r')
        if content_fits(content) and waits and not drop[i] and not seen[id] then
            local n = #chosen + 1
            chosen[n], with[n], texts[n] = id, content, next_state(want, priority, content, text)
            seen[id] = true
        end
    end
    return chosen, with, texts
end

-- Records the leases. `states` is a list or what all have in common. What is handed out is a block:
-- queue, ids, contents, states.
local function lease(q, want, ids, contents, states)
    local scores, fields, bytes = {}, {}, 0
    local same = type(states) == 'string' and states
    for i = 1, #ids do
        local id, at, text = ids[i], i * 2, same or states[i]
        scores[at - 1], scores[at] = want.until_text, id
        fields[at - 1], fields[at] = id, text
        bytes = bytes + #contents[i] + #text
    end
    write('ZADD', q.leases, spread(scores))
    write('HSET', q.state, spread(fields))
    want.left = want.left - #ids
    want.bytes = want.bytes + bytes
    want.blocks[#want.blocks + 1] = {q.index - 1, ids, contents, states}
end

local function lease_entries(q, want, priority, ids)
    local contents = call('HMGET', q.jobs, spread(ids))
    local states = call('HMGET', q.state, spread(ids))
    if all_fresh(q, ids, contents, states) then
        lease(q, want, ids, contents, first_state(want, priority * 16))
        return
    end
    local chosen, with, texts = choose(q, want, priority, ids, contents, states)
    if #chosen > 0 then
        lease(q, want, chosen, with, texts)
    end
end

-- Takes from one list until there is enough. Returns whether the list was there, and whether it is
-- empty now.
local function take_from(q, want, priority)
    local key, there = ready_key(q, priority), false
    while want.left > 0 and want.bytes < BYTES_MAX do
        local most = math.min(want.left, want.slice)
        local ids = call('LRANGE', key, 0, most - 1)
        if #ids == 0 then
            return there, true
        end
        there = true
        lease_entries(q, want, priority, ids)
        write('LTRIM', key, #ids, -1)
        write_dropped(q)
        if #ids < most then
            return true, true
        end
    end
    return there, call('EXISTS', key) == 0
end

-- Hands out by priority. Returns whether all lists are empty now.
local function take(q, want)
    local left = call('EXISTS', spread(q.list_keys))
    local first, last = 0, 9
    -- Most often all jobs are of normal priority.
    if left == 1 and call('EXISTS', q.list_keys[6]) == 1 then
        first, last = 5, 5
    end
    for priority = first, last do
        if left == 0 or want.left == 0 then
            break
        end
        local there, empty = take_from(q, want, priority)
        if there and not empty then
            break
        end
        left = there and left - 1 or left
    end
    return left == 0
end

-- What this nonce already holds, with the lease begun again: the asker counts it from now.
local function replay(q, want)
    local ids = call('ZRANGE', q.leases, 0, -1)
    for from = 1, #ids, 500 do
        local to = math.min(from + 499, #ids)
        local texts = call('HMGET', q.state, spread(ids, from, to))
        for i = from, to do
            local text = texts[i - from + 1]
            local content = want.left > 0 and state_fits(text, 'a') and
                sub(text, 10, 17) == want.nonce and call('HGET', q.jobs, ids[i])
            if content then
                local s = state_read(text)
                s.at, s.owner = math.max(s.at, want.until_ms), want.owner
                text = state_text(s)
                write('ZADD', q.leases, score_of(s.at), ids[i])
                write('HSET', q.state, ids[i], text)
                want.blocks[#want.blocks + 1] = {q.index - 1, {ids[i]}, {content}, {text}}
                want.left = want.left - 1
            end
        end
    end
end

-- Milliseconds until this queue could have something, or -1.
local function next_look(q, want)
    local best = -1
    local function at(score, more)
        if score then
            local wait = math.max(score + more - now, 0)
            best = (best < 0 or wait < best) and wait or best
        end
    end
    at(q.first_lease, 1)
    if #want.blocks > 0 then
        at(want.until_ms, 1)
    end
    if q.has_sets then
        for i = 1, 3 do
            at(first_score(q.set_keys[i]), 0)
        end
    end
    return best
end

-- It looked, whatever becomes of the reserve.
local function remember_consumer(q, want)
    if want.max > 0 and (now - q.consumed >= 10000 or now < q.consumed) then
        call('HSET', q.meta, 'consumed', now, 'consumer', want.owner)
    end
end

local function reserve_queue(q, want)
    q.set_keys, q.list_keys = keys_of(q)
    local more = tend_queue(q, want)
    remember_consumer(q, want)
    if want.replay then
        replay(q, want)
    end
    q.emptied = not q.paused and take(q, want)
    if more or not (q.paused or q.emptied) then
        return 0
    end
    return next_look(q, want)
end

local function reserve_all(row)
    local want = {max = row[1], left = row[1], replay = row[3] == 1, nonce = row[5],
        owner = row[6], until_ms = now + row[4], keep_done = row[7], keep_dead = row[8],
        keep_max = row[9], blocks = {}, fresh = {}, bytes = 0, slice = 128}
    want.until_text = score_of(want.until_ms)
    local best, trouble = -1, nil
    for _, index in ipairs(row[2]) do
        local q = queue_at(index + 1)
        if q.known then
            local fine, wait = pcall(reserve_queue, q, want)
            if fine then
                best = (wait >= 0 and (best < 0 or wait < best)) and wait or best
            else
                best, trouble = 0, trouble or wait
            end
        end
    end
    -- What has been leased is handed out. A look that gets nothing says what is wrong.
    if trouble and #want.blocks == 0 then
        error(trouble, 0)
    end
    return best, want.blocks
end
