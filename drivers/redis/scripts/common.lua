-- SPDX-License-Identifier: Apache-2.0
-- What every script begins with: time, writing, queues, the two records of a job.
-- docs/redis.md describes the keys. Every script is called with KEYS: the meta key of each queue it
-- touches, ARGV[1]: a plan in MessagePack, and ARGV[2]: texts that the plan has the lengths of.
-- Nothing is ever built from the plan as code.
local call = redis.call
local sub, byte = string.sub, string.byte
local pack, parse = struct.pack, struct.unpack
local format = string.format
local spread = unpack

local plan = cmsgpack.unpack(ARGV[1])

-- The server's clock; a number instead of 0 comes from a test that moves time by hand.
local now = plan[1]
if now == 0 then
    local t = call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
end

-- A whole number as commands take it. One that is handed to a command as it is gets printed with
-- seventeen digits, which costs more than the command.
local function digits(n)
    return n >= 0 and n < 2147483648 and format('%d', n) or format('%.0f', n)
end

-- A script is isolated, not atomic: whoever asks must know whether an error left something behind.
local wrote = false
local function write(...)
    local answer = call(...)
    wrote = true
    return answer
end

-- Counts in a hash; what is there and is no number is written over.
local function count(key, field, n)
    local answer = redis.pcall('HINCRBY', key, field, digits(n))
    if type(answer) == 'table' then
        if not string.find(answer.err, 'integer', 1, true) and
            not string.find(answer.err, 'overflow', 1, true) then
            error(answer)
        end
        call('HSET', key, field, digits(n))
    end
    wrote = true
end

-- A right can be taken away at any time, and who may not do all of what is to be written is to hear
-- so before the first of it: a script that is stopped halfway could leave a job that is nowhere.
local may = redis.acl_check_cmd

local function need(key, ...)
    for _, verb in ipairs({...}) do
        if not may(verb, key) then
            error({err = 'NOPERM this user may not ' .. verb .. ' ' .. key})
        end
    end
end

local LAYOUT, LAYOUT_BEFORE = '2', '1'
local queues = {}

-- Opens a queue, reading its meta key alone. `known` tells whether it was ever registered.
local function queue_at(index)
    local q = queues[index]
    if q then
        return q
    end
    local meta = KEYS[index]
    local base = sub(meta, 1, -5)
    local row = call('HMGET', meta, 'layout', 'paused', 'consumed', 'stale', 'turned', 'begun',
        'ending')
    -- What the layout before has, this one has too, and nothing else in its place.
    if row[1] and row[1] ~= LAYOUT and row[1] ~= LAYOUT_BEFORE then
        error({err = 'LAYOUT ' .. meta .. ' has layout ' .. row[1]})
    end
    q = {
        index = index, base = base, meta = meta, known = row[1] and true or false,
        paused = row[2] == '1', consumed = tonumber(row[3]) or 0, stale = tonumber(row[4]) or 0,
        turned = tonumber(row[5]) or 0, begun = tonumber(row[6]) or 0,
        ending = tonumber(row[7]) or 0,
        jobs = base .. 'jobs', state = base .. 'state', leases = base .. 'leases',
        batches = base .. 'batches', totals = base .. 'totals', unique = base .. 'unique',
        old = row[1] == LAYOUT_BEFORE,
    }
    queues[index] = q
    return q
end

local function ready_key(q, priority)
    return q.base .. 'ready' .. string.char(48 + priority)
end

-- The three sets of delayed jobs: never tried, tried, given back.
local function delayed_key(q, attempts, releases)
    if releases > 0 then
        return q.base .. 'parked'
    end
    return q.base .. (attempts > 0 and 'retrying' or 'delayed')
end

-- The content of a job, fixed at its push (field of `jobs`):
--   created 6, priority 1, timeout 6, max_attempts 4, lengths of name, group, type, unique 1 each,
--   then those four and the payload.
local CONTENT_HEAD, NAME_MAX = 21, 64

-- Whether a field is what a script of this layout writes, as far as it takes to read it. What is
-- not is handed to nobody and kept from nobody's way; the asker tells of it, `dray fsck` names it.
local function content_fits(content)
    if not content or #content < CONTENT_HEAD then
        return false
    end
    local nname, ngroup, ntype, nunique = byte(content, 18, 21)
    return byte(content, 7) <= 9 and ngroup <= NAME_MAX and ntype <= NAME_MAX and
        CONTENT_HEAD + nname + ngroup + ntype + nunique <= #content
end

local function content_type_unique(content)
    if not content_fits(content) then
        return '', ''
    end
    local nname, ngroup, ntype, nunique = byte(content, 18, 21)
    local at = CONTENT_HEAD + nname + ngroup
    return sub(content, at + 1, at + ntype), sub(content, at + ntype + 1, at + ntype + nunique)
end

-- Type, unique key and payload, with their lengths: what a second push of an id is compared by.
local function content_identity(content)
    if not content_fits(content) then
        return content
    end
    local nname, ngroup = byte(content, 18, 19)
    return sub(content, 20, 21) .. sub(content, CONTENT_HEAD + nname + ngroup + 1)
end

-- What has happened to a job (field of `state`; none: ready and never handed out):
--   letter 1, counter 8, nonce 8, flags 1, attempts 4, releases 4, when 8, lengths of owner 1,
--   error 2, progress 2, room 26, then those three and the result.
-- The room makes each state longer than hash-max-listpack-value: so the server keeps a table, and
-- not a list that it would search from one end to the other.
-- Letters: r ready, d delayed, a active, x dead, o done. `when`: due, lease end or end.
-- Flags: 1 cancelled, 2 has a unique key, the priority times 16.
local STATE_FORMAT = '>I8c8BI4I4I8BI2I2'
local STATE_HEAD, STATE_ROOM = 65, string.rep('\0', 26)
local NO_NONCE = string.rep('\0', 8)

local function state_fits(text, letter)
    return text and #text >= STATE_HEAD and sub(text, 1, 1) == letter
end

local function state_read(text)
    local s = {letter = sub(text, 1, 1)}
    local nowner, nerror, nprogress
    s.counter, s.nonce, s.flags, s.attempts, s.releases, s.at, nowner, nerror, nprogress =
        parse(STATE_FORMAT, text, 2)
    local at = STATE_HEAD
    s.owner = sub(text, at + 1, at + nowner)
    at = at + nowner
    s.error = sub(text, at + 1, at + nerror)
    at = at + nerror
    s.progress = sub(text, at + 1, at + nprogress)
    s.result = sub(text, at + nprogress + 1)
    return s
end

local function state_text(s)
    return s.letter .. pack(STATE_FORMAT, s.counter, s.nonce, s.flags, s.attempts, s.releases, s.at,
        #s.owner, #s.error, #s.progress) .. STATE_ROOM .. s.owner .. s.error ..
        s.progress .. s.result
end

-- Whether a state, or that there is none, is what a script of this layout writes.
local function state_makes_sense(text)
    return not text or (#text >= STATE_HEAD and string.find('rdaxo', sub(text, 1, 1), 1, true))
end

-- Records that make no sense and lost their place to wait, since nobody can have them. The first
-- ones of a call by name: queue, id; and how many more there are.
local STRANGE_MOST = 100
local strange, more_strange = {}, 0

local function pass_over(q, id)
    local n = #strange
    if n < STRANGE_MOST * 2 then
        strange[n + 1], strange[n + 2] = q.index - 1, id
    else
        more_strange = more_strange + 1
    end
end

-- The state of a job that has none written.
local function state_fresh(content)
    local flags = byte(content, 7) * 16 + (byte(content, 21) > 0 and 2 or 0)
    return {letter = 'r', counter = 0, nonce = NO_NONCE, flags = flags, attempts = 0, releases = 0,
        at = 0, owner = '', error = '', progress = '', result = ''}
end

local function has(flags, bit)
    return flags % (bit * 2) >= bit
end

local function priority_of(flags)
    return math.floor(flags / 16)
end

-- Jobs that one reserve handed out for the first time share a record (field of `batches`) and a
-- lease (member of `leases`), both under a mark, which no id begins with, and the nonce: the state
-- that they have in common, whose result is their ids, each between blanks. A job that is extended,
-- settled or changed by itself leaves it. A state of its own goes before what it has in common.
local MARK, BLANK = '*', ' '

local function batch_name(nonce)
    return MARK .. nonce
end

-- The state that they have in common and their ids, or nil if it is no record of a batch.
local function batch_parts(record)
    if not state_fits(record, 'a') then
        return nil
    end
    local cut = STATE_HEAD + byte(record, 35)
    return sub(record, 1, cut), sub(record, cut + 1)
end

local function batch_ids(list)
    local ids = {}
    for id in string.gmatch(list, '[^ ]+') do
        ids[#ids + 1] = id
    end
    return ids
end

-- The list without this id, or nil.
local function batch_without(list, id)
    local first, last = string.find(list, BLANK .. id .. BLANK, 1, true)
    return first and sub(list, 1, first) .. sub(list, last + 1)
end

-- As its list is now.
local function batch_write(q, name, head, list)
    if #list > 1 then
        write('HSET', q.batches, name, head .. list)
    else
        write('HDEL', q.batches, name)
        write('ZREM', q.leases, name)
    end
end

-- Ids that have ended are remembered in keys that take turns, each for `keep`, or for half a
-- million ids. `n`: how many there are now, `since`: when it was begun. Returns whether one is to
-- begin.
local function take_turns(key, n, since, keep)
    if n > 0 and (now - since >= keep or now < since or n >= 500000) then
        write('RENAME', key, key .. '_old')
        write('PEXPIRE', key .. '_old', digits(keep))
        n = 0
    end
    return n == 0
end

-- Ids by the number of their queue. The first list of a queue is taken as it is: there is seldom
-- another.
local function gathering()
    return {lists = {}, own = {}}
end

local function gather(ids, index, list)
    local all = ids.lists[index]
    if not all then
        ids.lists[index] = list
        return
    end
    if not ids.own[index] then
        all = {spread(all)}
        ids.lists[index], ids.own[index] = all, true
    end
    local n = #all
    for i = 1, #list do
        all[n + i] = list[i]
    end
end

-- In the place of a state: the job had one until this turn.
local GONE = ''

-- Somebody sleeps: a list that was empty is no longer.
local function ring(q)
    call('PUBLISH', q.base .. 'bell', '1')
end

local function need_bell(q)
    if not may('PUBLISH', q.base .. 'bell', '1') then
        error({err = 'NOPERM this user may not PUBLISH ' .. q.base .. 'bell'})
    end
end

-- Ends a script: the answer, or an error that says whether something had been written.
local function finish(main)
    local fine, answer = pcall(main)
    if fine then
        return answer
    end
    local text = type(answer) == 'table' and answer.err or tostring(answer)
    return redis.error_reply((wrote and 'DIRTY ' or 'CLEAN ') .. text)
end
