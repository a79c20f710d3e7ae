-- SPDX-License-Identifier: Apache-2.0
-- Handing out: tend, then lease. What is handed out at once is bounded, too.
local function reserving()
    local BYTES_MAX = 16 * 1024 * 1024 -- handed out in one answer, unless one job alone is larger
    local PASSED_MOST = 2000 -- entries that are nobody's to have; then it is the next look's turn

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
        local row = call('ZRANGE', key, '0', '0', 'WITHSCORES')
        return row[2] and tonumber(row[2])
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

    -- For entries of all kinds.
    local function choosing()
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

        local function next_state(want, priority, content, text)
            if not text then
                return first_state(want, priority * 16 + (byte(content, 21) > 0 and 2 or 0))
            end
            local s = state_read(text)
            s.letter, s.counter, s.nonce = 'a', s.counter + 1, want.nonce
            s.attempts, s.at, s.owner = s.attempts + 1, want.until_ms, want.owner
            return state_text(s)
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
                    chosen[n], with[n] = id, content
                    texts[n] = next_state(want, priority, content, text)
                    seen[id] = true
                elseif content and not (content_fits(content) and state_makes_sense(text)) then
                    pass_over(q, id)
                end
            end
            return chosen, with, texts
        end

        return choose, write_dropped
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

    -- One lease for all that this reserve hands out for the first time: returns false if they have
    -- another state in common than those before, or the nonce was used before.
    local function lease_batch(q, want, ids, text)
        local name, batch = batch_name(want.nonce), q.batch
        if not batch then
            if want.replay or call('HEXISTS', q.batches, name) == 1 then
                return false
            end
            batch = {text = text, list = BLANK}
            q.batch = batch
            write('ZADD', q.leases, want.until_text, name)
        elseif batch.text ~= text then
            return false
        end
        batch.list = batch.list .. table.concat(ids, BLANK) .. BLANK
        write('HSET', q.batches, name, text .. batch.list)
        return true
    end

    local function lease_each(q, want, ids, states)
        local scores, fields = {}, {}
        local same = type(states) == 'string' and states
        for i = 1, #ids do
            local id, at = ids[i], i * 2
            scores[at - 1], scores[at] = want.until_text, id
            fields[at - 1], fields[at] = id, same or states[i]
        end
        write('ZADD', q.leases, spread(scores))
        write('HSET', q.state, spread(fields))
    end

    -- Records the leases. `states` is a list or what all have in common. What is handed out is a
    -- block: queue, ids, contents, states.
    local function lease(q, want, ids, contents, states)
        if type(states) ~= 'string' or not lease_batch(q, want, ids, states) then
            lease_each(q, want, ids, states)
        end
        for i = 1, #ids do
            want.bytes = want.bytes + #contents[i] + STATE_HEAD
        end
        want.left = want.left - #ids
        want.blocks[#want.blocks + 1] = {q.index - 1, ids, contents, states}
    end

    local function lease_entries(q, want, priority, ids)
        local contents = call('HMGET', q.jobs, spread(ids))
        local states = call('HMGET', q.state, spread(ids))
        if all_fresh(q, ids, contents, states) then
            lease(q, want, ids, contents, first_state(want, priority * 16))
            return
        end
        local choose, write_dropped = choosing()
        local chosen, with, texts = choose(q, want, priority, ids, contents, states)
        want.passed = want.passed + #ids - #chosen
        if #chosen > 0 then
            lease(q, want, chosen, with, texts)
        end
        return write_dropped
    end

    -- Takes from one list until there is enough. Returns whether the list was there, and whether it
    -- is empty now.
    local function take_from(q, want, priority)
        local key, there = ready_key(q, priority), false
        while want.left > 0 and want.bytes < BYTES_MAX and want.passed < PASSED_MOST do
            local most = math.min(want.left, want.slice)
            local ids = call('LRANGE', key, '0', digits(most - 1))
            if #ids == 0 then
                return there, true
            end
            there = true
            need(key, 'LTRIM') -- or jobs would be both in the list and handed out
            local write_dropped = lease_entries(q, want, priority, ids)
            write('LTRIM', key, digits(#ids), '-1')
            if write_dropped then
                write_dropped(q)
            end
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

    local function replay_batch(q, want)
        local name = batch_name(want.nonce)
        local head, list = batch_parts(call('HGET', q.batches, name))
        if not head then
            return
        end
        local s, held, with = state_read(head), {}, {}
        local ids = batch_ids(list)
        local contents = #ids > 0 and call('HMGET', q.jobs, spread(ids)) or {}
        local own = #ids > 0 and call('HMGET', q.state, spread(ids)) or {}
        for i, id in ipairs(ids) do
            if content_fits(contents[i]) and not own[i] and #held < want.left then
                held[#held + 1], with[#with + 1] = id, contents[i]
            end
        end
        s.at, s.owner = math.max(s.at, want.until_ms), want.owner
        head = state_text(s)
        write('ZADD', q.leases, digits(s.at), name)
        write('HSET', q.batches, name, head .. list)
        if #held > 0 then
            want.blocks[#want.blocks + 1] = {q.index - 1, held, with, head}
            want.left = want.left - #held
        end
    end

    -- What this nonce already holds, with the lease begun again: the asker counts it from now.
    local function replay(q, want)
        replay_batch(q, want)
        local ids = call('ZRANGE', q.leases, '0', '-1')
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
                    write('ZADD', q.leases, digits(s.at), ids[i])
                    write('HSET', q.state, ids[i], text)
                    want.blocks[#want.blocks + 1] = {q.index - 1, {ids[i]}, {content}, {text}}
                    want.left = want.left - 1
                end
            end
        end
    end

    -- It looked, whatever becomes of the reserve.
    local function remember_consumer(q, want)
        if want.max > 0 and (now - q.consumed >= 10000 or now < q.consumed) then
            call('HSET', q.meta, 'consumed', digits(now), 'consumer', want.owner)
        end
    end

    -- Most queues have nothing but jobs that are ready or leased, which two looks tell.
    local tend = nil

    local function reserve_queue(q, want)
        q.set_keys, q.list_keys = keys_of(q)
        call('HLEN', q.batches)
        if q.old then
            call('HSET', q.meta, 'layout', LAYOUT)
        end
        q.first_lease = first_score(q.leases)
        q.has_sets = call('EXISTS', spread(q.set_keys)) > 0
        local expired, more = q.first_lease and q.first_lease < now, false
        if expired or q.has_sets then
            tend = tend or tending(changing())
            more = tend(q, want, expired)
            q.first_lease = first_score(q.leases)
        end
        remember_consumer(q, want)
        need(q.leases, 'ZADD')
        need(q.batches, 'HSET')
        need(q.state, 'HSET')
        if q.stale > 0 then
            need(q.base .. 'stale', 'HINCRBY', 'HDEL')
            need(q.meta, 'HINCRBY')
        end
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
            keep_max = row[9], blocks = {}, fresh = {}, bytes = 0, passed = 0,
            slice = 128}
        want.until_text = digits(want.until_ms)
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

    return reserve_all
end
