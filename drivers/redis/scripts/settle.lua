-- SPDX-License-Identifier: Apache-2.0
-- Verdicts and renewals. Answers are letters: O done, S stale, X cancelled.
local function settling(change)
    local DONE, AGAIN, RELEASE, BURY, REPEAT = 1, 2, 3, 4, 5

    -- The state of a job as this turn sees it; false or nil: none.
    local function state_of(q, id)
        return q.state_set[id] or q.state_read[id]
    end

    -- The state of a job that somebody holds by this token, with a word to say of it; nil: nobody.
    local function state_held(q, id, token)
        local text = state_of(q, id)
        if text then
            return sub(text, 1, 17) == token and text or nil
        end
        return change.leave_batch(q, id, token)
    end

    -- Reads the states of many ids at once.
    local function prefetch_states(q, ids)
        change.of(q)
        for from = 1, #ids, 1000 do
            local texts = call('HMGET', q.state, spread(ids, from, math.min(from + 999, #ids)))
            for i = 1, #texts do
                q.state_read[ids[from + i - 1]] = texts[i]
            end
        end
    end

    local function keep_notes(s, v)
        if v.error ~= '' then
            s.error = v.error
        end
        if v.progress ~= '' then
            s.progress = v.progress
        end
    end

    local function count_run(q, job_type, runs, ms)
        change.add_total(q, 'runs:', job_type, runs)
        if ms > 0 then
            change.add_total(q, 'run_ms:', job_type, ms)
        end
    end

    -- Success without anything to keep: the job is gone. `text` is its state.
    local function settle_gone(q, id, text)
        local flags = byte(text, 18)
        if flags % 4 >= 2 then
            change.free_unique(q, id, flags)
        end
        q.state_read[id] = GONE
        q.done[#q.done + 1] = id
    end

    local function settle_kept(q, id, text, v)
        change.add_total(q, 'completed:', v.job_type, 1)
        count_run(q, v.job_type, 1, v.run)
        change.free_unique(q, id, byte(text, 18))
        local s = state_read(text)
        keep_notes(s, v)
        if v.result ~= '' then
            s.result = v.result
        end
        change.enter_ended(q, id, s, 'o')
    end

    local function settle_retry(q, id, text, v)
        local s = state_read(text)
        keep_notes(s, v)
        if v.verdict == BURY then
            change.add_total(q, 'died:', v.job_type, 1)
            if has(v.flags, 2) then
                s.attempts = math.max(s.attempts - 1, 0)
            else
                change.add_total(q, 'failed:', v.job_type, 1)
                count_run(q, v.job_type, 1, v.run)
            end
            change.free_unique(q, id, s.flags)
            change.enter_ended(q, id, s, 'x')
            return
        end
        if v.verdict == AGAIN then
            change.add_total(q, 'failed:', v.job_type, 1)
            change.add_total(q, 'retried:', v.job_type, 1)
            count_run(q, v.job_type, 1, v.run)
            s.releases = 0
        elseif v.verdict == RELEASE then
            s.attempts = math.max(s.attempts - 1, 0)
            s.releases = s.releases + 1
        else
            change.add_total(q, 'completed:', v.job_type, 1)
            count_run(q, v.job_type, 1, v.run)
            s.attempts, s.releases = 0, 0
        end
        change.enter_waiting(q, id, s, v.delay)
    end

    -- One lease with a verdict of its own.
    local function settle_one(q, id, token, v)
        local text = state_held(q, id, token)
        if not text then
            return 'S'
        end
        if v.verdict ~= DONE and v.verdict ~= BURY and has(byte(text, 18), 1) then
            return 'X'
        end
        q.unleased[#q.unleased + 1] = id
        if v.verdict == DONE then
            settle_kept(q, id, text, v)
        else
            settle_retry(q, id, text, v)
        end
        return 'O'
    end

    -- Leases of one type that succeeded, with nothing to keep.
    local function settle_run(q, job_type, ids, tokens, runs)
        local ms, before, stale = 0, #q.done, nil
        local same = type(tokens) == 'string' and tokens
        for i = 1, #ids do
            local id = ids[i]
            local text = state_held(q, id, same or tokens[i])
            if text then
                settle_gone(q, id, text)
                ms = ms + runs[i]
            else
                stale = stale or {}
                stale[i] = 'S'
            end
        end
        local n = #q.done - before
        if n > 0 then
            q.live = q.live - n
            change.add_total(q, 'completed:', job_type, n)
            count_run(q, job_type, n, ms)
        end
        if not stale then
            return string.rep('O', n)
        end
        for i = 1, #ids do
            stale[i] = stale[i] or 'O'
        end
        return table.concat(stale)
    end

    -- Rows of queue, type, ids, tokens or the one that all have, run times and, for a lease with
    -- more to say, its notes.
    local SETTLE_STRIDE = 6

    local function settle_all(rows)
        local answers = {}
        for at = 1, #rows, SETTLE_STRIDE do
            local q, ids, tokens = queue_at(rows[at] + 1), rows[at + 2], rows[at + 3]
            local notes, answer = rows[at + 5], nil
            if not q.known then
                answer = string.rep('S', #ids)
            elseif notes == 0 then
                answer = settle_run(q, rows[at + 1], ids, tokens, rows[at + 4])
            else
                answer = settle_one(q, ids[1], tokens, {
                    job_type = rows[at + 1], run = rows[at + 4][1], verdict = notes[1],
                    flags = notes[2], delay = notes[3], error = notes[4], progress = notes[5],
                    result = notes[6]})
            end
            answers[#answers + 1] = answer
        end
        return table.concat(answers)
    end

    local EXTEND_STRIDE = 5

    local function extend_one(q, id, token, lease, progress)
        local text = q.known and state_held(q, id, token)
        if not text then
            return 'S'
        end
        local s = state_read(text)
        s.at = math.max(s.at, now + lease)
        if progress ~= '' then
            s.progress = progress
        end
        q.state_set[id] = state_text(s)
        change.append(q.scores, q.leases, digits(s.at), id)
        return has(s.flags, 1) and 'X' or 'O'
    end

    local function extend_all(rows)
        local answers = {}
        for at = 1, #rows, EXTEND_STRIDE do
            answers[#answers + 1] = extend_one(queue_at(rows[at] + 1), rows[at + 1], rows[at + 2],
                rows[at + 3], rows[at + 4])
        end
        return table.concat(answers)
    end

    -- The states of all leases that the plan names, a read a queue.
    local function prefetch_leases(settles, extends)
        local ids = gathering()
        for at = 1, #settles, SETTLE_STRIDE do
            gather(ids, settles[at] + 1, settles[at + 2])
        end
        for at = 1, #extends, EXTEND_STRIDE do
            gather(ids, extends[at] + 1, {extends[at + 1]})
        end
        for index, list in pairs(ids.lists) do
            prefetch_states(queue_at(index), list)
        end
    end

    return {prefetch = prefetch_leases, settle = settle_all, extend = extend_all}
end
