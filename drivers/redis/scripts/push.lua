-- SPDX-License-Identifier: Apache-2.0
-- Pushes: each group is judged whole, then stored whole or not at all. Answers are letters: O
-- stored, E there already, C there with other content, D its unique key is held, F full.
local RESEND, RESTORE = 1, 2
local PUSH_STRIDE = 9

local function content_there(q, id)
    local content = q.job_set[id]
    if content == nil then
        content = q.job_read[id]
    end
    return content
end

local function prefetch_content(q, ids)
    changes_of(q)
    q.job_read = q.job_read or {}
    for from = 1, #ids, 1000 do
        local to = math.min(from + 999, #ids)
        local found = call('HMGET', q.jobs, spread(ids, from, to))
        for i = from, to do
            q.job_read[ids[i]] = found[i - from + 1]
        end
    end
end

local function remembered(q, id)
    return call('SISMEMBER', q.base .. 'ended', id) == 1 or
        call('SISMEMBER', q.base .. 'ended_old', id) == 1
end

local function holder_of(q, key)
    local id = q.unique_set[key]
    if id == nil then
        id = call('HGET', q.unique, key)
    end
    return id
end

-- The letter of one member, and the holder of its key. `group` holds what the members before it
-- would store.
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

local function store_restored(q, job)
    local s = state_read(job.state)
    if s.letter == 'd' and s.at <= now then
        s.letter = 'r'
    end
    if s.letter == 'd' then
        append(q.scores, delayed_key(q, s.attempts, s.releases), s.at, job.id)
    elseif s.letter == 'r' then
        append(q.lists, ready_key(q, job.priority), job.id)
    else
        append(q.scores, q.base .. (s.letter == 'x' and 'dead' or 'done'), s.at, job.id)
    end
    q.state_set[job.id] = state_text(s)
end

local function store(q, group, job)
    q.job_set[job.id] = job.content
    if job.unique ~= '' and not job.over then
        q.unique_set[job.unique] = job.id
    end
    if job.state ~= '' then
        store_restored(q, job)
        return
    end
    add_total(q, 'pushed:', job.job_type, 1)
    local due = job.run_at > 0 and job.run_at or now + job.delay
    if due > now then
        local s = state_fresh(job.content)
        s.letter, s.at = 'd', due
        q.state_set[job.id] = state_text(s)
        append(q.scores, q.base .. 'delayed', due, job.id)
    else
        append(q.lists, ready_key(q, job.priority), job.id)
    end
end

-- Jobs of the queue that have not ended, as this turn sees them.
local function live_jobs(q)
    q.live_read = q.live_read or call('HLEN', q.jobs) - call('ZCARD', q.base .. 'dead') -
        call('ZCARD', q.base .. 'done')
    return q.live_read + q.live
end

local function read_job(rows, at, created)
    local job = {id = rows[at], content = rows[at + 1], priority = rows[at + 2],
        unique = rows[at + 3], job_type = rows[at + 4], delay = rows[at + 5],
        run_at = rows[at + 6], state = rows[at + 7]}
    local letter = sub(job.state, 1, 1)
    job.over = letter == 'x' or letter == 'o'
    job.content = (rows[at + 8] ~= '' and rows[at + 8] or created) .. job.content
    return job
end

local function push_group(row, created, full)
    local q = queue_at(row[1] + 1)
    local group = {flags = row[2], jobs = {}, keys = {}, adds = {}, live = 0}
    local capacity, rows = row[3], row[4]
    local letters, holders, held, code = {}, {}, false, 'O'
    for at = 1, #rows, PUSH_STRIDE do
        local letter, holder = judge(q, group, read_job(rows, at, created))
        letters[#letters + 1] = letter
        holders[#holders + 1] = holder or ''
        held = held or letter == 'D'
        if code == 'O' and (letter == 'C' or letter == 'D') then
            code = letter
        end
    end
    if code == 'O' and #group.adds > 0 then
        if full then
            code = 'M'
        elseif capacity > 0 and live_jobs(q) + group.live > capacity then
            code = 'F'
        end
    end
    if code == 'O' then
        for _, job in ipairs(group.adds) do
            store(q, group, job)
        end
        q.live = q.live + group.live
    end
    return {code, table.concat(letters), held and holders or {}}
end

local function push_all(groups, full)
    local answers, ids = {}, {}
    local created = pack('>I6', now)
    for _, row in ipairs(groups) do
        local list = ids[row[1] + 1] or {}
        ids[row[1] + 1] = list
        for at = 1, #row[4], PUSH_STRIDE do
            list[#list + 1] = row[4][at]
        end
    end
    for index, list in pairs(ids) do
        prefetch_content(queue_at(index), list)
    end
    for i, row in ipairs(groups) do
        answers[i] = push_group(row, created, full)
    end
    return answers
end
