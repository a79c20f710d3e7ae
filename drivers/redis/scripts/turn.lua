-- SPDX-License-Identifier: Apache-2.0
-- A whole turn: settle, push, extend, reserve. The plan: now, settles, groups, extends, reserve or
-- 0, register, dedupe_keep. The answer: letters of the settles, the groups' answers, letters of the
-- extends, the next look, blocks of jobs handed out, and the reserve's error; and, if there are
-- any, the records that were passed over: how many have no name here, queues and ids.

-- The lists of texts that the plan names by their lengths, in the order of the plan.
local function take_bulk()
    local at = 1
    local function take(lengths)
        if lengths == '' then
            return {}
        end
        local list = {parse(lengths, ARGV[2], at)}
        local n = #list
        at, list[n] = list[n], nil
        return list
    end
    for row = 1, #plan[2], 6 do
        plan[2][row + 2] = take(plan[2][row + 2])
    end
    for _, row in ipairs(plan[3]) do
        row[5] = take(row[5])
        row[6] = take(row[6])
    end
end

-- Queues that are to be written and were never registered. Their names must be in the registry
-- before the first job is in them, and the registry is a key of another slot: the asker does it.
local function unregistered()
    local missing = {}
    local function need(index)
        local q = queue_at(index + 1)
        if not q.known then
            missing[#missing + 1] = index
        end
    end
    for _, row in ipairs(plan[3]) do
        need(row[1])
    end
    if plan[5] ~= 0 and plan[5][1] > 0 then
        for _, index in ipairs(plan[5][2]) do
            need(index)
        end
    end
    return missing
end

-- A queue that is known and empty is nothing that a failure leaves halfway.
local function register(missing)
    for _, index in ipairs(missing) do
        local q = queue_at(index + 1)
        call('HSET', q.meta, 'layout', LAYOUT)
        q.known = true
    end
end

-- With memory at its limit the first command that could need more is refused, and none after a
-- command that wrote. Pushes are to hear of it; outcomes and leases are to pass.
local function memory_is_full()
    if #plan[3] > 0 then
        local q = queue_at(plan[3][1][1] + 1)
        local answer = redis.pcall('HSET', q.meta, 'layout', LAYOUT)
        if type(answer) ~= 'table' or not answer.err then
            return false
        end
        if sub(answer.err, 1, 3) ~= 'OOM' then
            error(answer)
        end
    end
    call('DEL', sub(KEYS[1], 1, -5) .. 'none')
    return #plan[3] > 0
end

-- Settles, pushes and renewals: their answers.
local function change_all(missing)
    local settles, groups, extends = plan[2], plan[3], plan[4]
    local full, settled, pushed, extended = false, '', {}, ''
    local change, settling_now = nil, nil
    if #settles + #groups + #extends > 0 then
        change = changing()
    end
    if #settles + #extends > 0 then
        settling_now = settling(change)
        settling_now.prefetch(settles, extends)
    end
    full = memory_is_full()
    if not full then
        register(missing)
    end
    if not change then
        return settled, pushed, extended
    end
    settled = settling_now and settling_now.settle(settles) or ''
    pushed = #groups > 0 and pushing(change)(groups, full) or pushed
    extended = settling_now and settling_now.extend(extends) or ''
    for _, q in pairs(queues) do
        if q.count then
            change.probe(q, plan[7])
        end
    end
    for _, q in pairs(queues) do
        if q.count then
            change.flush(q, plan[7])
        end
    end
    return settled, pushed, extended
end

-- Its own error is an answer beside the others: what has been changed before stays changed.
local function reserve_apart()
    if plan[5] == 0 then
        return -1, {}, ''
    end
    local before = wrote
    wrote = false
    local fine, a, b = pcall(reserving(), plan[5])
    local dirty = wrote
    wrote = before or wrote
    if fine then
        return a, b, ''
    end
    return -1, {}, (dirty and 'DIRTY ' or 'CLEAN ') ..
        (type(a) == 'table' and a.err or tostring(a))
end

-- Whoever sleeps need not hear of jobs that this very turn has handed out.
local function ring_bells()
    for _, q in pairs(queues) do
        if q.rings and not q.emptied then
            ring(q)
        end
    end
end

return finish(function()
    local missing = unregistered()
    if #missing > 0 and plan[6] ~= 1 then
        return {'register', missing}
    end
    take_bulk()
    local settled, pushed, extended = change_all(missing)
    local wait, blocks, trouble = reserve_apart()
    ring_bells()
    local answer = {'turn', settled, pushed, extended, wait, blocks, trouble}
    if #strange > 0 then
        answer[8] = {more_strange, spread(strange)}
    end
    return answer
end)
