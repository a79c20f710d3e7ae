-- SPDX-License-Identifier: Apache-2.0
-- A whole turn: settle, push, extend, reserve. The plan: now, settles, groups, extends, reserve or
-- 0, register, dedupe_keep. The answer: letters of the settles, the groups' answers, letters of the
-- extends, the next look, the jobs as rows of queue, id, content and state, and the reserve's error.

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

local function register(missing)
    for _, index in ipairs(missing) do
        local q = queue_at(index + 1)
        write('HSET', q.meta, 'layout', LAYOUT)
        q.known = true
    end
end

-- With memory at its limit the first command that could need more is refused, and none after a
-- command that wrote. Pushes are to hear of it; outcomes and leases are to pass.
local function memory_is_full()
    local full = false
    if #plan[3] > 0 then
        local q = queue_at(plan[3][1][1] + 1)
        local answer = redis.pcall('HSET', q.meta, 'layout', LAYOUT)
        if type(answer) == 'table' and answer.err then
            if sub(answer.err, 1, 3) ~= 'OOM' then
                error(answer)
            end
            full = true
        end
    end
    call('DEL', sub(KEYS[1], 1, -5) .. 'none')
    return full
end

return finish(function()
    local missing = unregistered()
    if #missing > 0 then
        if plan[6] ~= 1 then
            return {'register', missing}
        end
    end
    local ids = {}
    prefetch_leases(plan[2], SETTLE_STRIDE, ids)
    prefetch_leases(plan[4], EXTEND_STRIDE, ids)
    for index, list in pairs(ids) do
        prefetch_states(queue_at(index), list)
    end
    local full = memory_is_full()
    if not full then
        register(missing)
    end
    local settled = settle_all(plan[2])
    local pushed = push_all(plan[3], full)
    local extended = extend_all(plan[4])
    for _, q in pairs(queues) do
        if q.job_set then
            probe(q)
        end
    end
    for _, q in pairs(queues) do
        if q.job_set then
            flush(q, plan[7])
        end
    end
    local wait, rows, trouble = -1, {}, ''
    if plan[5] ~= 0 then
        wrote = false
        local fine, a, b = pcall(reserve_all, plan[5])
        if fine then
            wait, rows = a, b
        else
            trouble = (wrote and 'DIRTY ' or 'CLEAN ') ..
                (type(a) == 'table' and a.err or tostring(a))
        end
    end
    return {'turn', settled, pushed, extended, wait, rows, trouble}
end)
