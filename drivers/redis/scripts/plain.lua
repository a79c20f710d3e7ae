-- SPDX-License-Identifier: Apache-2.0
-- The turn that nearly all are: successes with nothing to keep, new jobs that are ready now, a look
-- for jobs that were never tried - each or all of them, in one queue. It is a script of its own,
-- straight through, since a call of turn.lua costs several times what these few commands do. All is
-- read and judged before anything is written; whatever is different is left alone and answered
-- `careful`, upon which the asker asks turn.lua.
--
-- KEYS[1]: the queue's meta key. ARGV[1]: now or 0; successes, in rows of type, how many, token
-- and run time; 0 or priority, how many, types and how many of each; 0 or most, lease, nonce and
-- owner of the look; dedupe_keep; keep_done, keep_dead and keep_max. The other ARGV: of each row of
-- successes the ids, then all of them in one, between blanks; the new ids; the new contents. A text
-- of its own for each costs least: Lua reads each byte of every text that is cut out of another.
-- docs/redis.md describes the keys.
local call, sub, byte, find = redis.call, string.sub, string.byte, string.find
local plan, texts_at = cmsgpack.unpack(ARGV[1]), 2
local dones, new, want, keep = plan[2], plan[3], plan[4], plan[5]
local meta, base = KEYS[1], sub(KEYS[1], 1, -5)
local jobs, state, totals = base .. 'jobs', base .. 'state', base .. 'totals'
local leases, batches, ending = base .. 'leases', base .. 'batches', base .. 'ending'
local STATE_HEAD, BYTES_MAX, SLICE, CONSUMED_MS = 65, 16 * 1024 * 1024, 128, 10000
local BLANK = ' '
local wrote, has_states, now = false, false, plan[1]

-- A number as commands take it; one that is handed over as it is gets printed with 17 digits.
local function digits(n)
    return string.format('%.0f', n)
end

-- The earliest score of a sorted set, or nil.
local function first_score(key)
    return tonumber(call('ZRANGE', key, '0', '0', 'WITHSCORES')[2])
end

local function server_ms()
    local t = call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- What the jobs of one lease have in common: the state of any of them.
local function batch_head(priority, ends)
    return 'a' .. struct.pack('>I8c8BI4I4I8BI2I2', 1, want[3], priority * 16, 1, 0, ends, #want[4],
        0, 0) .. string.rep('\0', 26) .. want[4]
end

-- How many keys there are of jobs that wait, ended or are different from new ones; and this one.
local function count_others(one)
    local ready = base .. 'ready'
    return call('EXISTS', state, base .. 'delayed', base .. 'retrying', base .. 'parked',
        base .. 'dead', base .. 'done', ready .. 0, ready .. 1, ready .. 2, ready .. 3, ready .. 4,
        ready .. 5, ready .. 6, ready .. 7, ready .. 8, ready .. 9, one)
end

-- ---------------------------------------------------------------------------------------------
-- One new job for a worker that waits
-- ---------------------------------------------------------------------------------------------

-- How long a job takes from dispatch to handler is the time of this call, and each command counts.
-- The job is handed out without having been in a list. Nil, and nothing has changed, where there is
-- more to do.
local function hand_over()
    local row, try = call('HMGET', meta, 'layout', 'paused', 'stale', 'consumed'), redis.pcall
    local consumed, at = tonumber(row[4]) or 0, now ~= 0 and now or server_ms()
    if row[1] ~= '2' or row[2] == '1' or (tonumber(row[3]) or 0) ~= 0 or at < consumed or
        at - consumed >= CONSUMED_MS then
        return nil
    end
    local there, id, name, ends = count_others(leases), ARGV[2], '*' .. want[3], at + want[2]
    local first = there == 1 and first_score(leases)
    if there ~= 0 and not (first and first >= at) then
        return nil
    end
    local head, pushed = batch_head(new[1], ends), 'pushed:' .. new[3][1]
    -- What fails for a key of another type, for want of memory or rights fails here as a whole.
    if try('HSETNX', batches, name, head .. BLANK .. id .. BLANK) ~= 1 then
        return nil
    end
    local added = try('ZADD', leases, digits(ends), name)
    local stored = added == 1 and try('HSETNX', jobs, id, struct.pack('>I6', at) .. ARGV[3])
    if stored ~= 1 or type(try('HINCRBY', totals, pushed, '1')) ~= 'number' then
        local gone = stored == 1 and try('HDEL', jobs, id)
        if type(gone) == 'table' then
            return redis.error_reply('DIRTY ' .. gone.err) -- its lease brings it back
        end
        try('ZREM', leases, name)
        try('HDEL', batches, name)
        return nil
    end
    return {'plain', math.min(first or ends, ends) + 1 - at, {}, {1, head, at}}
end

if #dones == 0 and new ~= 0 and new[2] == 1 and want ~= 0 and want[1] > 0 then
    local fine, answer = pcall(hand_over)
    if fine and answer then
        return answer
    end
end

-- ---------------------------------------------------------------------------------------------
-- All other turns
-- ---------------------------------------------------------------------------------------------

local function write(...)
    local answer = call(...)
    wrote = true
    return answer
end

local function take(n)
    texts_at = texts_at + n
    return {unpack(ARGV, texts_at - n, texts_at - 1)}
end

local function count_in(key, field, n)
    local answer = redis.pcall('HINCRBY', key, field, digits(n))
    if type(answer) == 'table' then
        if not (find(answer.err, 'integer', 1, true) or find(answer.err, 'overflow', 1, true)) then
            error(answer)
        end
        write('HSET', key, field, digits(n)) -- it was no number
    end
    wrote = true
end

local function count(field, n)
    count_in(totals, field, n)
end

-- The record without these ids; nil if one of them is not in it.
local function without(record, ids, joined)
    -- Most often they are settled in the order in which they were handed out.
    local first, last = find(record, joined, STATE_HEAD, true)
    if first then
        return sub(record, 1, first) .. sub(record, last + 1)
    end
    for i = 1, #ids do
        first, last = find(record, BLANK .. ids[i] .. BLANK, STATE_HEAD, true)
        if not first then
            return nil
        end
        record = sub(record, 1, first) .. sub(record, last + 1)
    end
    return record
end

-- Takes ids out of the batches that hold them. Returns them all, and the batches' records as they
-- will be; nil if one of them is not held so.
local function leave_batches()
    local gone, records, joineds = nil, {}, {}
    for at = 1, #dones, 4 do
        local token = dones[at + 2]
        local ids, joined, name = take(dones[at + 1]), take(1)[1], '*' .. sub(token, 10)
        local record = records[name] or call('HGET', batches, name)
        if not record or #record < STATE_HEAD or sub(record, 1, 17) ~= token then
            return nil
        end
        records[name] = without(record, ids, joined)
        joineds[#joineds + 1] = joined
        if not records[name] then
            return nil
        end
        if not gone then
            gone = ids
        else
            for i = 1, #ids do
                gone[#gone + 1] = ids[i]
            end
        end
    end
    return gone, records, joineds
end

-- Whether the ids that ended can be added to those that are remembered, as they are.
local function remembers(begun, n)
    return keep == 0 or
        (call('LLEN', ending) > 0 and n < 500000 and now >= begun and now - begun < keep)
end

-- When the first delayed job falls due; false if there is something to promote or to prune.
local function quiet()
    local soonest, limits = math.huge, plan[6]
    for _, name in ipairs({'delayed', 'retrying', 'parked'}) do
        soonest = math.min(soonest, first_score(base .. name) or soonest)
    end
    for i, name in ipairs({'done', 'dead'}) do
        local oldest = first_score(base .. name)
        if oldest and limits[i] >= 0 and oldest < now - limits[i] then
            return false
        end
    end
    if limits[3] >= 0 and
        call('ZCARD', base .. 'dead') + call('ZCARD', base .. 'done') > limits[3] then
        return false
    end
    return soonest > now and soonest
end

-- What is there: the list that is next, its priority, how many wait in it, whether there are other
-- lists, and when the first delayed job falls due, as of quiet(). Each command counts: most often
-- one tells that there is nothing but one list.
local function look_around(priority)
    local ready = base .. 'ready'
    local around = {list = ready .. priority, priority = priority, others = false, due = math.huge}
    local there = want ~= 0 and count_others(base .. 'none')
    around.waiting = there == 0 and 0 or call('LLEN', around.list)
    if want == 0 then
        has_states = #dones > 0 and call('EXISTS', state) == 1
        return around
    elseif there == (around.waiting > 0 and 1 or 0) then
        return around
    end
    has_states, around.due = call('EXISTS', state) == 1, quiet()
    around.waiting = 0
    for other = 0, 9 do
        local waiting = call('LLEN', ready .. other)
        if waiting > 0 and around.waiting > 0 then
            around.others = true
        elseif waiting > 0 then
            around.list, around.waiting, around.priority = ready .. other, waiting, other
        end
    end
    return around
end

-- Whether it is a content that can be read, of a job that was never handed out.
local function is_new(content)
    if not content or #content < 21 then
        return false
    end
    local nname, ngroup, ntype, nunique = byte(content, 18, 21)
    return nunique == 0 and byte(content, 7) <= 9 and 21 + nname + ngroup + ntype <= #content
end

-- Adds the jobs of a list's next slice to what is handed out; false if one of them is not a job
-- that was never handed out.
local function add_slice(held, list, to)
    local ids = call('LRANGE', list, digits(held.n), digits(to - 1))
    local contents = call('HMGET', jobs, unpack(ids))
    local states = has_states and call('HMGET', state, unpack(ids)) or {}
    for i = 1, #ids do
        local id, content = ids[i], contents[i]
        if states[i] or held.seen[id] or not is_new(content) then
            return false
        end
        held.seen[id] = true
        held.bytes = held.bytes + #content
        held.ids[held.n + i], held.contents[held.n + i] = id, content
    end
    held.n = held.n + #ids
    return true
end

-- Whether the user may put jobs into this list, and wake somebody up if it is empty.
local function may_list(list, waiting)
    local may = redis.acl_check_cmd
    return may('RPUSH', list) and (waiting > 0 or may('PUBLISH', base .. 'bell', '1'))
end

-- Each of the following reads, and returns false if the turn is none of these.

local function read_done(row)
    local gone, records, joineds = leave_batches()
    if not gone or not remembers(tonumber(row[5]) or 0, tonumber(row[6]) or 0) then
        return false
    end
    if want == 0 then
        call('ZCARD', leases)
    end
    -- A state of its own goes before what a job has in common with others.
    for _, own in ipairs(has_states and call('HMGET', state, unpack(gone)) or {}) do
        if own then
            return false
        end
    end
    return {ids = gone, records = records, joineds = joineds}
end

local function read_new()
    local n = new[2]
    local ids, contents, fields, seen = take(n), take(n), {}, {}
    local found, created = call('HMGET', jobs, unpack(ids)), struct.pack('>I6', now)
    for i = 1, n do
        local id = ids[i]
        if found[i] or seen[id] then
            return false
        end
        seen[id] = true
        fields[2 * i - 1], fields[2 * i] = id, created .. contents[i]
    end
    return {ids = ids, fields = fields, n = n}
end

-- What is handed out of those that wait, and whether a lease has ended.
local function read_want(row, around)
    local most, consumed, waiting = want[1], tonumber(row[3]) or 0, around.waiting
    local first = first_score(leases)
    if not around.due or (first and first < now) or row[2] == '1' or (tonumber(row[4]) or 0) ~= 0 or
        (most > 0 and (now - consumed >= CONSUMED_MS or now < consumed)) or
        (around.others and waiting < most) or
        (first and call('HEXISTS', batches, '*' .. want[3]) == 1) then
        return false
    end
    local held = {ids = {}, contents = {}, n = 0, first = first, seen = {}, bytes = 0}
    local all = math.min(most, waiting)
    while held.n < all and held.bytes < BYTES_MAX do
        if not add_slice(held, around.list, math.min(held.n + SLICE, all)) then
            return false
        end
    end
    return held
end

-- With memory at its limit the first command that could need more is refused, and none after one
-- that wrote: pushes are to hear of it, outcomes and leases are to pass. `straight`: how many need
-- not wait.
local function write_new(fresh, list, waiting, straight)
    write('HSET', jobs, unpack(fresh.fields))
    if straight < fresh.n then
        write('RPUSH', list, unpack(fresh.ids, straight + 1))
        if waiting == 0 then
            call('PUBLISH', base .. 'bell', '1')
        end
    end
    for i = 1, #new[3], 2 do
        count('pushed:' .. new[3][i], new[3][i + 1])
    end
end

-- A batch without jobs that it names does no harm, jobs without their batch would wait for ever.
local function write_done(done)
    write('HDEL', jobs, unpack(done.ids))
    if keep > 0 then
        write('RPUSH', ending, unpack(done.joineds))
        count_in(meta, 'ending', #done.ids)
    end
    for name, record in pairs(done.records) do
        if #record == STATE_HEAD + byte(record, 35) + 1 then -- no more than a blank
            write('HDEL', batches, name)
            write('ZREM', leases, name)
        else
            write('HSET', batches, name, record)
        end
    end
    for at = 1, #dones, 4 do
        count('completed:' .. dones[at], dones[at + 1])
        count('runs:' .. dones[at], dones[at + 1])
        if dones[at + 3] > 0 then
            count('run_ms:' .. dones[at], dones[at + 3])
        end
    end
end

-- One lease for all: those of the list, and so many new ones. Returns the state that they have in
-- common.
local function write_held(held, fresh, list, straight, priority)
    local name, ends = '*' .. want[3], now + want[2]
    local head = batch_head(priority, ends)
    local record = head .. BLANK
    if held.n > 0 then
        record = record .. table.concat(held.ids, BLANK) .. BLANK
    end
    if straight > 0 then
        record = record .. table.concat(fresh.ids, BLANK, 1, straight) .. BLANK
    end
    call('HSET', batches, name, record)
    local leased = redis.pcall('ZADD', leases, digits(ends), name)
    if type(leased) == 'table' then
        call('HDEL', batches, name)
        error(leased)
    end
    wrote = true
    local cut = held.n > 0 and redis.pcall('LTRIM', list, digits(held.n), '-1')
    if type(cut) == 'table' and cut.err then
        -- Not both in the list and handed out.
        call('ZREM', leases, name)
        call('HDEL', batches, name)
        error(cut)
    end
    return head
end

-- Blocks as turn.lua hands them out; and of the new jobs, which the asker has at hand, just how
-- many, their state and when they were made.
local function hand_out(held, fresh, list, straight, priority)
    local blocks, head = {}, ''
    if held.n + straight > 0 then
        head = write_held(held, fresh, list, straight, priority)
    end
    if held.n > 0 then
        blocks[1] = {0, held.ids, held.contents, head}
    end
    return blocks, {straight, head, now}
end

local function main()
    local row = call('HMGET', meta, 'layout', 'paused', 'consumed', 'stale', 'begun', 'ending')
    if row[1] ~= '2' then
        return nil
    end
    if now == 0 then
        now = server_ms()
    end
    -- Every key is read before the first is written: one of another type changes nothing.
    if new ~= 0 or #dones > 0 then
        call('HLEN', totals)
    end
    local around = look_around(new ~= 0 and new[1] or 5)
    local done = #dones == 0 or read_done(row)
    local fresh = done and (new == 0 or
        (around.priority == new[1] and not around.others and read_new()))
    local held = fresh and (want == 0 or read_want(row, around))
    if not held then
        return nil
    end

    local listed, nnew = want ~= 0 and held.n or 0, new ~= 0 and fresh.n or 0
    local waiting = around.waiting
    local straight = (want ~= 0 and listed == waiting and not around.others) and
        math.min(want[1] - listed, nnew) or 0
    if nnew == 0 then
        call('DEL', base .. 'none')
    end
    -- Stored and not listed a job would wait for ever.
    if straight < nnew and not may_list(around.list, waiting) then
        return nil
    end
    -- The lease of new jobs that are handed out goes before them: they are in no list.
    local blocks, direct = {}, {0, '', now}
    if want ~= 0 then
        blocks, direct = hand_out(held, fresh, around.list, straight, around.priority)
    end
    if nnew > 0 then
        write_new(fresh, around.list, waiting, straight)
    end
    if #dones > 0 then
        write_done(done)
    end
    if want == 0 then
        return {'plain', -1, blocks, direct}
    end
    if around.others or waiting - listed + nnew - straight > 0 then
        return {'plain', 0, blocks, direct}
    end
    local ends = #dones > 0 and first_score(leases) or #dones == 0 and held.first or math.huge
    if listed + straight > 0 then
        ends = math.min(ends, now + want[2])
    end
    local soonest = math.min(around.due, ends + 1)
    local wait = soonest < math.huge and math.max(soonest - now, 0) or -1
    return {'plain', wait, blocks, direct}
end

-- An error that left nothing behind is the other script's to tell, which answers part by part.
local fine, answer = pcall(main)
if fine or not wrote then
    return fine and answer or {'careful'}
end
return redis.error_reply('DIRTY ' .. (type(answer) == 'table' and answer.err or tostring(answer)))
