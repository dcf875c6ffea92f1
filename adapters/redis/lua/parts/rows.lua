-- The hash `state`: a row for the queue and one for each group, each packed whole, because nearly every verb needs both.
--
-- queue   tail      the seq that the next message of the log gets
--         bytes     ever put into the log
--         sent      messages ever stored
--         delayed   messages in `timers`, of `later` bytes; `number` is what the next of them gets, `timer` is when the first
--                   is due; `behind`: when the last one that had to go behind others
--         reap      nothing expires, and nothing is to be forgotten, before this time
--         amended, gone, reaps   rows in the keys of these names
--         groups    that exist; of them `joining` and `late`, see group.lua
--         ghosts    keys of groups that were deleted, for groups that join
--         redrives  that there were while groups joined, see group.lua
--         scan      how far `ids`, or `olds`, were looked through for those that ended together, at `cut`
--         untidy    something behind all groups is still to be trimmed
--         kept      outcomes that are kept, in all groups; `keepers`: dead letters of messages whose outcomes are
--         laned     messages have had lanes; `early` of them, of `earlyBytes`, wait for the first group, see lanes.lua
--         holds     that there are, see holds.lua; `over`: when the first of them ends
--         latest    the latest time that anybody saw here; `skew`: what to add to the clock because it was set back
-- group   token     what its receipts start with, and the names of its keys end with: nothing of a group that was deleted,
--                   or of a queue, can be taken for something of a later one
--         cursor    the first seq of the log that it has not looked at; `passed`: the bytes before it
--         floor     the first seq of the log that it still needs; `trimmed`: the floor when the log was trimmed last, and
--                   `cleared` the bytes before that
--         leased, waiting, blocked, dead   messages in these states, ended leases among the leased; `out` of the leased are
--                   not in the log
--         outside   bytes of what it holds outside the log
--         acked, failed   since the group exists
--         lanes     numbers of its lanes, see lanes.lua: `flows`, `ahead`, `again`, ended leases that are `lost`; and whose turn it
--                   was, `at`, with so many messages `left`
--         born      a number of its own, if it was made while there were holds
--         served    it was given something
--         deadFor   how long its last claim would have dead letters kept: those, too, that claims of other groups find;
--                   `parksNext`: and the next of their keys parked
--         parked    messages that are; `stops`: keys of which the first that comes is to be
--         keepers   as in the queue
--         kept, running   rows in `results` and in `progress`, see outcomes.lua
--
-- To make a function costs the less the later its upvalues are declared: what most functions use comes last.
local state = KEYS[1]

-- A clock that runs behind the latest time seen by more than this was set back.
local JUMP_MS = 1000

-- Leases and dead letters get a number that the client has made up, which makes old receipts stale. Numbers of the server
-- would start again where it has lost its last writes, and old receipts fit what came in their place.
local nonce, clock, marks = string.match(ARGV[1], '^(%d+) ?([%d.]*)(%a*)$')
nonce, clock = tonumber(nonce), tonumber(clock)
if marks ~= '' then
  -- `t`: arguments are text. Bytes that are none stand there as U+F780 to U+F7FF, and these characters as their bytes. The order matters:
  -- what comes of the first is never taken for a part of the others.
  for i = 2, #ARGV do
    if string.find(ARGV[i], '\239', 1, true) then
      local text = string.gsub(ARGV[i], '\239\158([\128-\191])', '%1')
      ARGV[i] = string.gsub(text, '\239\159([\128-\191])', function(byte)
        return string.char(string.byte(byte) + 64)
      end)
    end
  end
  -- `e`: a server that evicts any key is to have no messages. Some do not let scripts ask.
  if string.find(marks, 'e', 1, true) then
    local info = redis.pcall('INFO', 'memory')
    local policy = type(info) == 'string' and string.match(info, 'maxmemory_policy:(allkeys[%a-]*)')
    if policy and not string.find(info, 'maxmemory:0\r', 1, true) then
      return redis.error_reply('EVICTS ' .. policy)
    end
  end
end
if clock == nil then
  local time = redis.call('TIME')
  clock = time[1] * 1000 + math.floor(time[2] / 1000)
end

local allLoaded = false
local groups = {}
local queueChanged = false
-- What became of messages in this verb, by group, and the ids of those for whom somebody may wait, as JSON: see outcomes.lua.
local concluded, told
local flowsChanged = false
-- The queue's own time, which never jumps back: the clock plus the skew. Deadlines are on it, timestamps on the clock.
local now = clock
local queue
local base = string.sub(state, 1, -6)
local call = redis.call
-- The functions and constants of parts, see scripts/lua.mjs.
local F = {}
-- Makes those of the parts that few need, once one of them is called.
local loadRest
setmetatable(F, {
  __index = function(_, name)
    local load = loadRest
    loadRest = nil
    if load then
      load()
    end
    return rawget(F, name)
  end,
})

local function keyOf(group, kind)
  return base .. kind .. ':' .. group.row.token
end

-- Other clients may write here. What a script stumbles over by itself ends it; what would have it run for ever, or pass
-- over messages in silence, is looked for. The adapter makes `CORRUPT` of both.
local function corrupt(what)
  error(what .. ' is not as it was written')
end

-- Numbers have 15 digits at most, which is what a receipt has room for.
local function isNumber(value)
  return type(value) == 'number' and value > -1e15 and value < 1e15
end

local function trust(row, fields)
  for i = 1, #fields do
    -- Comparing what is no number at all ends the script by itself.
    local value = row[fields[i]]
    if not (value > -1e15 and value < 1e15) then
      corrupt(fields[i])
    end
  end
  return row
end

-- A row is its values one after the other, which takes a third of the time of a table; what few have comes in one at the end.
local QUEUE_NUMBERS = { 'tail', 'bytes', 'sent', 'delayed', 'later', 'number', 'amended', 'gone', 'reaps', 'groups', 'joining', 'late', 'latest', 'skew' }
local RARE = { 'behind', 'cut', 'scan', 'olds', 'ghosts', 'untidy', 'kept', 'laned', 'early', 'earlyBytes', 'holds', 'over', 'redrives', 'keepers' }
local RARE_IN_GROUPS = { 'join', 'since', 'parksNext', 'parked', 'stops', 'kept', 'keepers', 'running', 'lanes', 'born' }

local function rareOf(row, names)
  local rare = false
  for i = 1, #names do
    local value = row[names[i]]
    if value ~= nil then
      rare = rare or {}
      rare[names[i]] = value
    end
  end
  return rare
end

-- Counts what few have: where there is none, there is no number.
local function tally(row, name, by)
  local count = (row[name] or 0) + by
  row[name] = count ~= 0 and count or nil
end

local function packQueue()
  local rare = rareOf(queue, RARE)
  local q = queue
  return cmsgpack.pack(q.tail, q.bytes, q.sent, q.delayed, q.later, q.number, q.amended, q.gone, q.reaps, q.groups, q.joining, q.late, q.latest, q.skew, q.timer or false, q.reap or false, rare)
end

local function unpackQueue(packed)
  local tail, bytes, sent, delayed, later, number, amended, gone, reaps, count, joining, late, latest, skew, timer, reap, rare = cmsgpack.unpack(packed)
  queue = { tail = tail, bytes = bytes, sent = sent, delayed = delayed, later = later, number = number, amended = amended, gone = gone, reaps = reaps, groups = count, joining = joining, late = late, latest = latest, skew = skew, timer = timer or nil, reap = reap or nil }
  trust(queue, QUEUE_NUMBERS)
  for key, value in pairs(rare or {}) do
    queue[key] = value
  end
  if queue.delayed > 0 then
    trust(queue, { 'timer' })
  end
end

local GROUP_NUMBERS = { 'cursor', 'passed', 'floor', 'trimmed', 'cleared', 'leased', 'out', 'waiting', 'blocked', 'outside', 'dead', 'acked', 'failed', 'latest' }

local function packGroup(row)
  local rare = rareOf(row, RARE_IN_GROUPS)
  return cmsgpack.pack(row.token, row.cursor, row.passed, row.floor, row.trimmed, row.cleared, row.leased, row.out, row.waiting, row.blocked, row.outside, row.dead, row.acked, row.failed, row.latest, row.deadFor or false, rare, row.served or false)
end

local function addGroup(name, packed)
  local token, cursor, passed, floor, trimmed, cleared, leased, out, waiting, blocked, outside, dead, acked, failed, latest, deadFor, rare, served = cmsgpack.unpack(packed)
  local row = { token = token, cursor = cursor, passed = passed, floor = floor, trimmed = trimmed, cleared = cleared, leased = leased, out = out, waiting = waiting, blocked = blocked, outside = outside, dead = dead, acked = acked, failed = failed, latest = latest, deadFor = deadFor or nil, served = served }
  trust(row, GROUP_NUMBERS)
  -- What lies before the cursor may be trimmed.
  if row.cursor > queue.tail or type(row.token) ~= 'string' then
    corrupt('a group')
  end
  if rare then
    for key, value in pairs(rare) do
      row[key] = value
    end
    row.join = row.join and trust(row.join, { 'from', 'bound', 'at', 'redrives' })
    row.since = row.since and trust(row.since, { 'at', 'number' })
    row.lanes = row.lanes and trust(row.lanes, { 'flows', 'ahead', 'again', 'lost', 'left' })
  end
  local group = { name = name, row = row, changed = false }
  groups[name] = group
  return group
end

-- Reads the rows of the queue and of some groups, as far as these exist, and works out the time. Answers with the last one.
local function open(...)
  local names = { ... }
  local fields = { 'queue' }
  for i = 1, #names do
    fields[i + 1] = 'group:' .. names[i]
  end
  local rows = call('HMGET', state, unpack(fields))
  if rows[1] then
    unpackQueue(rows[1])
  else
    queue = {}
    for i = 1, #QUEUE_NUMBERS do
      queue[QUEUE_NUMBERS[i]] = 0
    end
    queue.tail, queue.number = 1, 1
  end
  local latest = queue.latest
  local last
  for i = 1, #names do
    last = groups[names[i]] or rows[i + 1] and addGroup(names[i], rows[i + 1])
    if last and last.row.latest > latest then
      latest = last.row.latest
    end
  end
  now = clock + queue.skew
  if now < latest - JUMP_MS then
    queue.skew = latest - clock
    queueChanged = true
    now = latest
  end
  return last or nil
end

local function allGroups()
  if not allLoaded then
    allLoaded = true
    local loaded = 0
    for _ in pairs(groups) do
      loaded = loaded + 1
    end
    if loaded < queue.groups then
      local rows = call('HGETALL', state)
      for i = 1, #rows, 2 do
        local name = string.match(rows[i], '^group:(.*)$')
        if name and not groups[name] then
          addGroup(name, rows[i + 1])
        end
      end
    end
  end
  return groups
end

-- The smallest seq of the log that the group still needs: that of its first lease in the log, or else its cursor. And the
-- bytes before it, about.
local function floorOf(group)
  local row = group.row
  if row.leased > row.out then
    local first = call('ZRANGE', keyOf(group, 'leases'), 0, 0)[1]
    if first then
      local lease = cmsgpack.unpack(first)
      return math.min(lease[1], row.cursor), lease[8]
    end
  end
  return row.cursor, row.passed
end

local function lowestFloor()
  local lowest = queue.tail
  for _, group in pairs(allGroups()) do
    local floor = group.changed and floorOf(group) or group.row.floor
    if floor < lowest then
      lowest = floor
    end
  end
  return lowest
end

-- The log is trimmed once a group has moved on by so many messages or bytes, or has finished them all.
local STRIDE = 64
local STRIDE_BYTES = 1024 * 1024
-- What one verb trims, of each kind. The rest is left to later ones.
local TRIM_AT_ONCE = 5000
local ENTRIES_AT_ONCE = 200000

-- Deletes what some sorted set has below a seq. Answers how much.
local function trimSet(kind, below)
  local count = call('ZCOUNT', base .. kind, '-inf', below)
  if count > TRIM_AT_ONCE then
    count = TRIM_AT_ONCE
    queue.untidy = true
  end
  if count > 0 then
    call('ZREMRANGEBYRANK', base .. kind, 0, count - 1)
    queueChanged = true
  end
  return count
end

-- Deletes the segments that end before `floor`, which nobody needs any more, and what there is about them. `span`: how many
-- messages these have at most, if that is known.
local function trimBelow(floor, span)
  local id = string.format('%.0f', floor)
  -- Of very many, whole nodes, and not all at once.
  if
    span and span < ENTRIES_AT_ONCE
    or call('XTRIM', base .. 'log', 'MINID', '~', id, 'LIMIT', ENTRIES_AT_ONCE) < ENTRIES_AT_ONCE / 2
  then
    call('XTRIM', base .. 'log', 'MINID', id)
  else
    queue.untidy = true
    queueChanged = true
  end
  local below = '(' .. id
  if queue.amended > 0 then
    queue.amended = queue.amended - trimSet('amend', below)
  end
  if queue.gone > 0 then
    queue.gone = queue.gone - trimSet('gone', below)
  end
  if queue.reaps > 0 then
    local ended = call('ZRANGEBYSCORE', base .. 'reaps', '-inf', below, 'LIMIT', 0, TRIM_AT_ONCE)
    if #ended > 0 then
      call('ZREM', base .. 'expiry', unpack(ended))
      queue.reaps = queue.reaps - trimSet('reaps', below)
    end
  end
end

-- Writes the rows that changed, and tells those who watch. `wakes`: there may be something to deliver.
local function finish(wakes)
  if flowsChanged then
    finishFlows()
  end
  local fields = {}
  for name, group in pairs(groups) do
    if group.changed then
      local row = group.row
      local floor, cleared = floorOf(group)
      row.floor = floor
      if
        floor ~= row.trimmed
        and (floor - row.trimmed >= STRIDE or floor >= queue.tail or cleared - row.cleared >= STRIDE_BYTES)
      then
        if queue.groups > 1 then
          trimBelow(lowestFloor())
        else
          trimBelow(floor, floor - row.trimmed)
        end
        row.trimmed = floor
        row.cleared = cleared
      end
      if now > row.latest then
        row.latest = now
      end
      fields[#fields + 1] = 'group:' .. name
      fields[#fields + 1] = packGroup(row)
    end
  end
  if queueChanged then
    if now > queue.latest then
      queue.latest = now
    end
    fields[#fields + 1] = 'queue'
    fields[#fields + 1] = packQueue()
  end
  if #fields > 0 then
    call('HSET', state, unpack(fields))
    if wakes ~= nil or told then
      -- A hint: a user who may not publish does without.
      redis.pcall('PUBLISH', base .. 'changed', (wakes and 'wake' or 'news') .. (told or ''))
    end
  end
end
