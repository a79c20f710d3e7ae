-- SPDX-License-Identifier: Apache-2.0
-- What a look for jobs does first: put back expired leases, promote what is due, prune what is not
-- kept. Each is bounded a call; what is left makes the next look due at once.
local function tending(change)
    local SWEEP, PROMOTE, PRUNE = 200, 1000, 100

    local function due_of(key, most, limit)
        local found =
            call('ZRANGEBYSCORE', key, '-inf', most, 'WITHSCORES', 'LIMIT', '0', digits(limit))
        local ids, scores = {}, {}
        for i = 1, #found, 2 do
            ids[#ids + 1] = found[i]
            scores[#scores + 1] = tonumber(found[i + 1])
        end
        return ids, scores
    end

    local function put_back(q, id, text)
        local content = call('HGET', q.jobs, id)
        if content then
            local s = state_read(text)
            s.error = 'lease expired'
            change.add_total(q, 'failed:', (content_type_unique(content)), 1)
            change.enter_waiting(q, id, s, 0)
        end
    end

    -- What leaves a set that its state does not name.
    local function drop(q, id, text)
        if not state_makes_sense(text) then
            pass_over(q, id)
        end
    end

    -- A batch at once. Returns how many that were.
    local function sweep_batch(q, name)
        local batch = change.batch_at(q, name)
        if not batch then
            if call('HEXISTS', q.batches, name) == 1 then
                pass_over(q, name) -- its jobs are named nowhere else
            end
            q.unleased[#q.unleased + 1] = name
            return 0
        end
        local ids = batch_ids(batch.list)
        local own = #ids > 0 and call('HMGET', q.state, spread(ids)) or {}
        for i, id in ipairs(ids) do
            if not own[i] then
                put_back(q, id, batch.head)
            end
        end
        batch.list, batch.changed = BLANK, true
        return #ids
    end

    -- Back to ready: leases whose end has passed.
    local function sweep(q)
        local ids = due_of(q.leases, '(' .. digits(now), SWEEP)
        if #ids == 0 then
            return false
        end
        local texts, n = call('HMGET', q.state, spread(ids)), 0
        for i, id in ipairs(ids) do
            if n >= PROMOTE then
                return true
            elseif sub(id, 1, 1) == MARK then
                n = n + sweep_batch(q, id)
            else
                if state_fits(texts[i], 'a') then
                    put_back(q, id, texts[i])
                else
                    drop(q, id, texts[i])
                end
                q.unleased[#q.unleased + 1] = id
                n = n + 1
            end
        end
        return #ids == SWEEP
    end

    local function promote_set(q, name, found)
        local ids, scores = due_of(q.base .. name, digits(now), PROMOTE)
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
                change.append(q.lists, ready_key(q, priority_of(byte(text, 18))), one.id)
                q.state_set[one.id] = 'r' .. sub(text, 2)
            else
                drop(q, one.id, text)
            end
            change.append(gone, one.set, one.id)
        end
        return more
    end

    local function prune_old(q, name, keep, gone)
        if keep < 0 then
            return false
        end
        local ids = due_of(q.base .. name, '(' .. digits(now - keep), PRUNE)
        for _, id in ipairs(ids) do
            q.gone[#q.gone + 1] = id
            change.append(gone, q.base .. name, id)
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
            change.append(gone, all[i].set, all[i].id)
        end
        return over > PRUNE
    end

    local function write_kept(q, gone)
        local any = false
        for key in pairs(gone) do
            call('ZCARD', key)
            need(key, 'ZREM')
            any = true
        end
        if not any and #q.unleased == 0 and not next(q.batch_read) then
            return
        end
        change.probe(q, 0)
        change.flush(q, 0)
        for key, list in pairs(gone) do
            change.in_slices('ZREM', key, list)
        end
    end

    local function tend_queue(q, want, expired)
        local gone, more = {}, false
        change.forget(q)
        change.of(q)
        if expired then
            more = sweep(q)
        end
        if q.has_sets then
            more = promote(q, gone) or more
            more = prune_old(q, 'dead', want.keep_dead, gone) or more
            more = prune_old(q, 'done', want.keep_done, gone) or more
        end
        write_kept(q, gone)
        change.forget(q)
        if q.has_sets and want.keep_max >= 0 then
            gone = {}
            change.of(q)
            more = prune_many(q, want.keep_max, gone) or more
            write_kept(q, gone)
            change.forget(q)
        end
        return more
    end

    return tend_queue
end
