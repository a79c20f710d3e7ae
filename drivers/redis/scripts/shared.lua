-- SPDX-License-Identifier: Apache-2.0
-- Jobs that share a lease, as people's scripts see them.

-- The batches of a queue by their names.
local function batches_of(q)
    local rows, batches = call('HGETALL', q.batches), {}
    for i = 1, #rows, 2 do
        local head, list = batch_parts(rows[i + 1])
        if head then
            batches[#batches + 1] = {name = rows[i], head = head, list = list}
        end
    end
    return batches
end

-- The batch of each job that shares its lease. Looked up once a call.
local function shared_leases(q)
    if not q.shared then
        q.shared = {}
        for _, batch in ipairs(batches_of(q)) do
            for _, id in ipairs(batch_ids(batch.list)) do
                q.shared[id] = batch
            end
        end
    end
    return q.shared
end

-- How many jobs share a lease, and how many leases these are.
local function shared_counts(q)
    local jobs, records = 0, 0
    for _, batch in ipairs(batches_of(q)) do
        local _, blanks = string.gsub(batch.list, BLANK, '')
        jobs, records = jobs + blanks - 1, records + 1
    end
    return jobs, records
end
