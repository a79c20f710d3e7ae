-- SPDX-License-Identifier: Apache-2.0
-- What a turn changes before it reserves, gathered per queue and written in one go: an id can be
-- settled and pushed again in one turn, so the last word on each field counts. Lists of what many
-- jobs have in common go to the server as they are, without a table a job.
-- What is defined here and in the files that follow is defined in calls that need it alone: a
-- script makes its functions anew in every call.
local function changing()
    local function changes_of(q)
        if not q.count then
            q.fresh, q.done, q.gone, q.stateless, q.unleased = {}, {}, {}, {}, {}
            q.state_set, q.unique_set = {}, {}
            q.lists, q.scores, q.count = {}, {}, {}
            q.state_read, q.job_read, q.pushed, q.batch_read = {}, {}, {}, {}
            q.live = 0
        end
        return q
    end

    -- Forgets what has been read and written, so that the next part begins empty.
    local function forget(q)
        q.count, q.live_read = nil, nil
    end

    -- A batch as this turn sees it; false: none.
    local function batch_at(q, name)
        local batch = q.batch_read[name]
        if batch == nil then
            local head, list = batch_parts(call('HGET', q.batches, name))
            batch = head and {head = head, list = list, changed = false}
            q.batch_read[name] = batch or false
        end
        return batch
    end

    -- Takes a job out of the batch that holds it under this token. Returns its state, or nil.
    local function leave_batch(q, id, token)
        local batch = batch_at(q, batch_name(sub(token, 10)))
        local list = batch and sub(batch.head, 1, 17) == token and batch_without(batch.list, id)
        if not list then
            return nil
        end
        batch.list, batch.changed = list, true
        return batch.head
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
            append(q.scores, delayed_key(q, s.attempts, s.releases), digits(s.at), id)
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
        append(q.scores, q.base .. (letter == 'x' and 'dead' or 'done'), digits(now), id)
        q.state_set[id] = state_text(s)
        q.live = q.live - 1
    end

    local function free_unique(q, id, flags)
        if not has(flags, 2) then
            return
        end
        local content = call('HGET', q.jobs, id)
        if content then
            local _, key = content_type_unique(content)
            if (q.unique_set[key] or call('HGET', q.unique, key)) == id then
                q.unique_set[key] = false
            end
        end
    end

    local function in_slices(command, key, list)
        local n = #list
        if n == 0 then
            return
        elseif n <= 2000 then
            write(command, key, spread(list))
            return
        end
        for from = 1, n, 2000 do
            write(command, key, spread(list, from, math.min(from + 1999, n)))
        end
    end

    local function need_endings(q, keep)
        if #q.done > 0 and keep > 0 then
            need(q.base .. 'ending', 'RPUSH', 'PEXPIRE')
            need(q.base .. 'ending_old', 'PEXPIRE')
            need(q.meta, 'HINCRBY', 'HSET')
            if not may('RENAME', q.base .. 'ending', q.base .. 'ending_old') then
                error({err = 'NOPERM this user may not RENAME ' .. q.base .. 'ending'})
            end
        end
    end

    -- What flush is about to call.
    local function need_all(q, keep)
        local function need_if(condition, key, ...)
            if condition then
                need(key, ...)
            end
        end
        local ended = #q.done + #q.gone > 0
        local keyed, batched = next(q.unique_set), next(q.batch_read)
        need_if(#q.fresh > 0, q.jobs, 'HSET')
        need_if(ended, q.jobs, 'HDEL')
        need_if(next(q.state_set), q.state, 'HSET')
        need_if(ended or #q.stateless > 0, q.state, 'HDEL')
        need_if(keyed, q.unique, 'HSET', 'HDEL')
        need_if(next(q.count), q.totals, 'HINCRBY')
        need_if(batched, q.batches, 'HSET', 'HDEL')
        need_if(batched or #q.unleased + #q.done > 0, q.leases, 'ZREM')
        for key in pairs(q.scores) do
            need(key, 'ZADD')
        end
        for key in pairs(q.lists) do
            need(key, 'RPUSH')
        end
        need_endings(q, keep)
    end

    -- Every key that will be written is read first: one of another type ends the script before
    -- anything is changed.
    local function probe(q, keep)
        call('HLEN', q.jobs)
        call('HLEN', q.state)
        if next(q.unique_set) then
            call('HLEN', q.unique)
        end
        if next(q.count) then
            call('HLEN', q.totals)
        end
        if #q.unleased > 0 or #q.done > 0 or next(q.batch_read) then
            call('ZCARD', q.leases)
        end
        for key in pairs(q.scores) do
            call('ZCARD', key)
        end
        if #q.done > 0 then
            q.nended = call('LLEN', q.base .. 'ending') > 0 and math.max(q.ending, 1) or 0
        end
        for key in pairs(q.lists) do
            q.rings = call('LLEN', key) == 0 or q.rings
        end
        if q.rings then
            need_bell(q)
        end
        need_all(q, keep)
    end

    -- In lists, which cost least. A push that is sent again has them put into sets (people.lua).
    local function remember_ended(q, keep)
        local key, ids = q.base .. 'ending', q.done
        local fresh = take_turns(key, q.nended, q.begun, keep)
        if fresh then
            write('HSET', q.meta, 'begun', digits(now), 'ending', '0')
        end
        for from = 1, #ids, 1000 do
            write('RPUSH', key,
                BLANK .. table.concat(ids, BLANK, from, math.min(from + 999, #ids)) .. BLANK)
        end
        if fresh then
            write('PEXPIRE', key, digits(keep * 2))
        end
        count(q.meta, 'ending', #ids)
    end

    -- What is set, as fields and values, and what is to go.
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

    -- Where a job goes is written before where it was is cleared.
    local function flush(q, keep)
        local keys, keys_gone = split_map(q.unique_set)
        in_slices('HSET', q.jobs, q.fresh)
        in_slices('HSET', q.unique, keys)
        in_slices('HSET', q.state, (split_map(q.state_set)))
        for key, list in pairs(q.scores) do
            in_slices('ZADD', key, list)
        end
        for key, list in pairs(q.lists) do
            in_slices('RPUSH', key, list)
        end
        if #q.done > 0 and keep > 0 then
            remember_ended(q, keep)
        end
        in_slices('ZREM', q.leases, q.done)
        in_slices('ZREM', q.leases, q.unleased)
        in_slices('HDEL', q.state, q.done)
        in_slices('HDEL', q.state, q.gone)
        in_slices('HDEL', q.state, q.stateless)
        in_slices('HDEL', q.unique, keys_gone)
        in_slices('HDEL', q.jobs, q.done)
        in_slices('HDEL', q.jobs, q.gone)
        for name, batch in pairs(q.batch_read) do
            if batch and batch.changed then
                batch_write(q, name, batch.head, batch.list)
            end
        end
        for field, n in pairs(q.count) do
            count(q.totals, field, n)
        end
    end

    return {
        of = changes_of, forget = forget, batch_at = batch_at, leave_batch = leave_batch,
        add_total = add_total, append = append,
        enter_waiting = enter_waiting, enter_ended = enter_ended, free_unique = free_unique,
        in_slices = in_slices, probe = probe, flush = flush,
    }
end
