-- SPDX-License-Identifier: Apache-2.0
-- Pushes: each group is judged whole, then stored whole or not at all. Answers are letters: O
-- stored, E there already, C there with other content, D its unique key is held, F full.
--
-- What the plan says of a group: queue, flags, capacity, priority, ids, contents, types and how
-- many of each in a row, and 0 or what the members have of their own: each its priority, unique
-- key, delay, time due, state and creation time.
local OWN_STRIDE = 6

local function pushing(change)
    -- Jobs of the queue that have not ended, as this turn sees them.
    local function live_jobs(q)
        q.live_read = q.live_read or call('HLEN', q.jobs) - call('ZCARD', q.base .. 'dead') -
            call('ZCARD', q.base .. 'done')
        return q.live_read + q.live
    end

    -- Whether jobs can be added: O, M without memory, F over the queue's capacity.
    local function room_for(q, n, capacity, full)
        if full then
            return 'M'
        end
        return capacity > 0 and live_jobs(q) + n > capacity and 'F' or 'O'
    end

    -- Groups that need a closer look: jobs that may be there already, or have unique keys, delays
    -- or states of their own.
    local function with_care()
        local RESEND = 1

        -- The lists are short, as they have just been folded into the sets; but jobs may have
        -- ended since.
        local function ended_lately(q)
            if not q.ended_lately then
                local texts = {BLANK}
                for _, name in ipairs({'ending_old', 'ending'}) do
                    for _, text in ipairs(call('LRANGE', q.base .. name, '0', '-1')) do
                        texts[#texts + 1] = text
                    end
                end
                texts[#texts + 1] = BLANK
                q.ended_lately = table.concat(texts, BLANK)
            end
            return q.ended_lately
        end

        local function remembered(q, id)
            return q.state_read[id] == GONE or call('SISMEMBER', q.base .. 'ended', id) == 1 or
                call('SISMEMBER', q.base .. 'ended_old', id) == 1 or
                string.find(ended_lately(q), BLANK .. id .. BLANK, 1, true) ~= nil
        end

        local function holder_of(q, key)
            local id = q.unique_set[key]
            if id == nil then
                id = call('HGET', q.unique, key)
            end
            return id
        end

        -- The content under this id as this turn sees it.
        local function content_there(q, id)
            return q.pushed[id] or (q.state_read[id] ~= GONE and q.job_read[id])
        end

        -- The letter of one member, and the holder of its key. `group` holds what the members
        -- before it would store.
        local function judge(q, group, job)
            local there = group.jobs[job.id] or content_there(q, job.id)
            if there then
                -- Both begin with a creation time that is not compared.
                return content_identity(there) == content_identity(job.content) and 'E' or 'C'
            end
            if has(group.flags, RESEND) and remembered(q, job.id) then
                return 'E'
            end
            if job.unique ~= '' and not job.over then
                local holder = group.keys[job.unique] or holder_of(q, job.unique)
                if holder then
                    return 'D', holder
                end
                group.keys[job.unique] = job.id
            end
            group.jobs[job.id] = job.content
            group.adds[#group.adds + 1] = job
            group.live = group.live + (job.over and 0 or 1)
            return 'O'
        end

        -- An id that ended in this very turn comes back: its content stays, its old state goes.
        local function revive(q, id)
            local rest = {}
            for _, one in ipairs(q.done) do
                if one ~= id then
                    rest[#rest + 1] = one
                end
            end
            q.done = rest
            q.unleased[#q.unleased + 1] = id
            q.stateless[#q.stateless + 1] = id
        end

        local function store_content(q, id, content)
            local n = #q.fresh
            q.fresh[n + 1], q.fresh[n + 2] = id, content
            q.pushed[id] = content
        end

        local function set_state(q, job, s)
            q.state_set[job.id] = state_text(s)
            if q.stateless[#q.stateless] == job.id then
                q.stateless[#q.stateless] = nil
            end
        end

        local function store_restored(q, job)
            local s = state_read(job.state)
            if s.letter == 'd' and s.at <= now then
                s.letter = 'r'
            end
            if s.letter == 'd' then
                change.append(
                    q.scores, delayed_key(q, s.attempts, s.releases), digits(s.at), job.id)
            elseif s.letter == 'r' then
                change.append(q.lists, ready_key(q, job.priority), job.id)
            else
                local key = q.base .. (s.letter == 'x' and 'dead' or 'done')
                change.append(q.scores, key, digits(s.at), job.id)
            end
            set_state(q, job, s)
        end

        local function store(q, job)
            if q.state_read[job.id] == GONE and not q.pushed[job.id] then
                revive(q, job.id)
            end
            store_content(q, job.id, job.content)
            if job.unique ~= '' and not job.over then
                q.unique_set[job.unique] = job.id
            end
            if job.state ~= '' then
                store_restored(q, job)
                return
            end
            change.add_total(q, 'pushed:', (content_type_unique(job.content)), 1)
            local due = job.run_at > 0 and job.run_at or now + job.delay
            if due > now then
                local s = state_fresh(job.content)
                s.letter, s.at = 'd', due
                change.append(q.scores, q.base .. 'delayed', digits(due), job.id)
                set_state(q, job, s)
            else
                change.append(q.lists, ready_key(q, job.priority), job.id)
            end
        end

        local function read_job(row, i, created)
            local own, at = row[8], (i - 1) * OWN_STRIDE
            local job = {id = row[5][i], content = row[6][i], priority = row[4], unique = '',
                delay = 0, run_at = 0, state = ''}
            if own ~= 0 then
                job.priority, job.unique, job.delay = own[at + 1], own[at + 2], own[at + 3]
                job.run_at, job.state = own[at + 4], own[at + 5]
                created = own[at + 6] ~= '' and own[at + 6] or created
            end
            local letter = sub(job.state, 1, 1)
            job.over = letter == 'x' or letter == 'o'
            job.content = created .. job.content
            return job
        end

        local function push_group(q, row, created, full)
            local group = {flags = row[2], jobs = {}, keys = {}, adds = {}, live = 0}
            local letters, holders, held, code = {}, {}, false, 'O'
            for i = 1, #row[5] do
                local letter, holder = judge(q, group, read_job(row, i, created))
                letters[i] = letter
                holders[i] = holder or ''
                held = held or letter == 'D'
                if code == 'O' and (letter == 'C' or letter == 'D') then
                    code = letter
                end
            end
            if code == 'O' and #group.adds > 0 then
                code = room_for(q, group.live, row[3], full)
            end
            if code == 'O' then
                for _, job in ipairs(group.adds) do
                    store(q, job)
                end
                q.live = q.live + group.live
            end
            return {code, table.concat(letters), held and holders or {}}
        end

        return push_group
    end

    local function prefetch_content(q, ids)
        change.of(q)
        for from = 1, #ids, 1000 do
            local found = call('HMGET', q.jobs, spread(ids, from, math.min(from + 999, #ids)))
            for i = 1, #found do
                if found[i] then
                    q.job_read[ids[from + i - 1]] = found[i]
                end
            end
        end
    end

    -- A group of jobs that nobody has seen and that have nothing of their own, which most are.
    -- Nothing is done and nil returned if it is another one.
    local function push_plain(q, row, created, full)
        local ids, contents, types = row[5], row[6], row[7]
        local read, pushed, n = q.job_read, q.pushed, #ids
        if row[8] ~= 0 or row[2] ~= 0 or n == 0 then
            return nil
        end
        for i = 1, n do
            local id = ids[i]
            if read[id] or pushed[id] or q.state_read[id] then
                for back = 1, i - 1 do
                    pushed[ids[back]] = nil
                end
                return nil
            end
            pushed[id] = true
        end
        local code = room_for(q, n, row[3], full)
        if code ~= 'O' then
            for i = 1, n do
                pushed[ids[i]] = nil
            end
            return {code, string.rep('O', n), {}}
        end
        local key = ready_key(q, row[4])
        local list = q.lists[key] or {}
        q.lists[key] = list
        local fresh, at, listed = q.fresh, #q.fresh, #list
        for i = 1, n do
            local id, content = ids[i], created .. contents[i]
            fresh[at + 1], fresh[at + 2] = id, content
            at = at + 2
            pushed[id] = content
            list[listed + i] = id
        end
        for i = 1, #types, 2 do
            change.add_total(q, 'pushed:', types[i], types[i + 1])
        end
        q.live = q.live + n
        return {'O', string.rep('O', n), {}}
    end

    local function push_all(groups, full)
        local answers, push_group = {}, nil
        local created = pack('>I6', now)
        local ids = gathering()
        for _, row in ipairs(groups) do
            gather(ids, row[1] + 1, row[5])
        end
        for index, list in pairs(ids.lists) do
            prefetch_content(queue_at(index), list)
        end
        for i, row in ipairs(groups) do
            local q = queue_at(row[1] + 1)
            local answer = push_plain(q, row, created, full)
            if not answer then
                push_group = push_group or with_care()
                answer = push_group(q, row, created, full)
            end
            answers[i] = answer
        end
        return answers
    end

    return push_all
end
