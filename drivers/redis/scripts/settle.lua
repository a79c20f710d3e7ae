-- SPDX-License-Identifier: Apache-2.0
-- Verdicts and renewals. Answers are letters: O done, S stale, X cancelled.
local DONE, AGAIN, RELEASE, BURY, REPEAT = 1, 2, 3, 4, 5

local function keep_notes(s, error_text, progress)
    if error_text ~= '' then
        s.error = error_text
    end
    if progress ~= '' then
        s.progress = progress
    end
end

local function count_run(q, job_type, run)
    add_total(q, 'runs:', job_type, 1)
    if run > 0 then
        add_total(q, 'run_ms:', job_type, run)
    end
end

local function settle_done(q, id, text, v)
    local flags = byte(text, 18)
    add_total(q, 'completed:', v.job_type, 1)
    count_run(q, v.job_type, v.run)
    free_unique(q, id, flags)
    if not has(v.flags, 1) then
        q.job_set[id], q.state_set[id] = false, false
        q.ended[#q.ended + 1] = id
        q.live = q.live - 1
        return
    end
    local s = state_read(text)
    keep_notes(s, v.error, v.progress)
    if v.result ~= '' then
        s.result = v.result
    end
    enter_ended(q, id, s, 'o')
end

local function settle_retry(q, id, text, v)
    local s = state_read(text)
    keep_notes(s, v.error, v.progress)
    if v.verdict == BURY then
        add_total(q, 'died:', v.job_type, 1)
        if has(v.flags, 2) then
            s.attempts = math.max(s.attempts - 1, 0)
        else
            add_total(q, 'failed:', v.job_type, 1)
            count_run(q, v.job_type, v.run)
        end
        free_unique(q, id, s.flags)
        enter_ended(q, id, s, 'x')
        return
    end
    if v.verdict == AGAIN then
        add_total(q, 'failed:', v.job_type, 1)
        add_total(q, 'retried:', v.job_type, 1)
        count_run(q, v.job_type, v.run)
        s.releases = 0
    elseif v.verdict == RELEASE then
        s.attempts = math.max(s.attempts - 1, 0)
        s.releases = s.releases + 1
    else
        add_total(q, 'completed:', v.job_type, 1)
        count_run(q, v.job_type, v.run)
        s.attempts, s.releases = 0, 0
    end
    enter_waiting(q, id, s, v.delay)
end

local function settle_one(v)
    local q, id = v.queue, v.id
    local text = q.known and state_of(q, id)
    if not text or sub(text, 1, 17) ~= v.token then
        return 'S'
    end
    if v.verdict ~= DONE and v.verdict ~= BURY and has(byte(text, 18), 1) then
        return 'X'
    end
    q.unleased[#q.unleased + 1] = id
    if v.verdict == DONE then
        settle_done(q, id, text, v)
    else
        settle_retry(q, id, text, v)
    end
    return 'O'
end

local function extend_one(q, id, token, lease, progress)
    local text = q.known and state_of(q, id)
    if not text or sub(text, 1, 17) ~= token then
        return 'S'
    end
    local s = state_read(text)
    s.at = math.max(s.at, now + lease)
    if progress ~= '' then
        s.progress = progress
    end
    q.state_set[id] = state_text(s)
    append(q.scores, q.leases, s.at, id)
    return has(s.flags, 1) and 'X' or 'O'
end

-- The states of all leases that the plan names, a read a queue. Rows begin with queue and id.
local function prefetch_leases(rows, stride, ids)
    for at = 1, #rows, stride do
        local index = rows[at] + 1
        ids[index] = ids[index] or {}
        local list = ids[index]
        list[#list + 1] = rows[at + 1]
    end
end

local SETTLE_STRIDE, EXTEND_STRIDE = 11, 5

local function settle_all(rows)
    local answers = {}
    for at = 1, #rows, SETTLE_STRIDE do
        answers[#answers + 1] = settle_one({
            queue = queue_at(rows[at] + 1), id = rows[at + 1], token = rows[at + 2],
            verdict = rows[at + 3], flags = rows[at + 4], delay = rows[at + 5], run = rows[at + 6],
            job_type = rows[at + 7], error = rows[at + 8], progress = rows[at + 9],
            result = rows[at + 10]})
    end
    return table.concat(answers)
end

local function extend_all(rows)
    local answers = {}
    for at = 1, #rows, EXTEND_STRIDE do
        answers[#answers + 1] = extend_one(queue_at(rows[at] + 1), rows[at + 1], rows[at + 2],
            rows[at + 3], rows[at + 4])
    end
    return table.concat(answers)
end
