-- The hash `state`: a row for the queue and one for each group, each packed whole, because nearly every verb needs both.
--
-- queue   tail      the seq that the next message of the log gets
--         bytes     ever put into the log
--         sent      messages ever stored
--         delayed   messages in `timers`; `number` is what the next of them gets, `timer` is when the first is due
--         reap      nothing expires, and no id is to be forgotten, before this time
--         amended   rows in `amend`
--         groups    that exist
--         latest    the latest time that anybody saw here; `skew`: what to add to the clock because it was set back
-- group   token     what its receipts start with
--         cursor    the first seq of the log that it has not looked at
--         floor     the first seq of the log that it still needs; `trimmed`: the floor when the log was trimmed last
--         lease     the number of the next lease, which never starts again: it makes old receipts stale
--         skipped   messages from the cursor on that will be passed over: cancelled or expired
--         leased, waiting, blocked, dead   messages in these states, ended leases among the leased
--         acked, failed   since the group exists
local call = redis.call
local state = KEYS[1]
local base = string.sub(state, 1, -6)

-- A clock that runs behind the latest time seen by more than this was set back.
local JUMP_MS = 1000

local clock = tonumber(ARGV[1])
if clock == nil then
  local time = call('TIME')
  clock = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The queue's own time, which never jumps back: the clock plus the skew. Deadlines are on it, timestamps on the clock.
local now = clock
local queue
local queueChanged = false
local groups = {}
local allLoaded = false

local function keyOf(group, kind)
  return base .. kind .. ':' .. group.name
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

local QUEUE_NUMBERS = { 'tail', 'bytes', 'sent', 'delayed', 'number', 'amended', 'groups', 'latest', 'skew' }
local GROUP_NUMBERS = {
  'cursor',
  'floor',
  'trimmed',
  'lease',
  'skipped',
  'leased',
  'waiting',
  'blocked',
  'dead',
  'acked',
  'failed',
  'latest',
}

local function addGroup(name, packed)
  local row = trust(cmsgpack.unpack(packed), GROUP_NUMBERS)
  -- What lies before the cursor may be trimmed.
  if row.cursor > queue.tail or type(row.token) ~= 'string' then
    corrupt('a group')
  end
  local group = { name = name, row = row, changed = false }
  groups[name] = group
  return group
end

-- Reads the rows of the queue and of a group, and works out the time. Answers with the group, if it exists.
local function open(name)
  local rows = call('HMGET', state, 'queue', 'group:' .. (name or ''))
  if rows[1] then
    queue = trust(cmsgpack.unpack(rows[1]), QUEUE_NUMBERS)
    if queue.delayed > 0 then
      trust(queue, { 'timer' })
    end
  else
    queue = { tail = 1, bytes = 0, sent = 0, delayed = 0, number = 1, amended = 0, groups = 0, latest = 0, skew = 0 }
  end
  local group = name and rows[2] and addGroup(name, rows[2])
  local latest = queue.latest
  if group and group.row.latest > latest then
    latest = group.row.latest
  end
  now = clock + queue.skew
  if now < latest - JUMP_MS then
    queue.skew = latest - clock
    queueChanged = true
    now = latest
  end
  return group or nil
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

-- The smallest seq of the log that the group still needs: that of its first lease in the log, or else its cursor.
local function floorOf(group)
  if group.row.leased > 0 then
    local first = call('ZRANGE', keyOf(group, 'leases'), 0, 0)[1]
    if first then
      return math.min(cmsgpack.unpack(first)[1], group.row.cursor)
    end
  end
  return group.row.cursor
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

-- The log is trimmed once a group has moved on by so many messages, or has finished them all.
local STRIDE = 64

-- Deletes the segments that end before `floor`, which nobody needs any more.
local function trimBelow(floor)
  call('XTRIM', base .. 'log', 'MINID', string.format('%.0f', floor))
  if queue.amended > 0 then
    local removed = call('ZREMRANGEBYSCORE', base .. 'amend', '-inf', string.format('(%.0f', floor))
    if removed > 0 then
      queue.amended = queue.amended - removed
      queueChanged = true
    end
  end
end

-- Writes the rows that changed, and tells those who watch. `wakes`: there may be something to deliver.
local function finish(wakes)
  local fields = {}
  for name, group in pairs(groups) do
    if group.changed then
      local row = group.row
      local floor = floorOf(group)
      row.floor = floor
      if floor ~= row.trimmed and (floor - row.trimmed >= STRIDE or floor >= queue.tail) then
        row.trimmed = floor
        trimBelow(queue.groups > 1 and lowestFloor() or floor)
      end
      if now > row.latest then
        row.latest = now
      end
      fields[#fields + 1] = 'group:' .. name
      fields[#fields + 1] = cmsgpack.pack(row)
    end
  end
  if queueChanged then
    if now > queue.latest then
      queue.latest = now
    end
    fields[#fields + 1] = 'queue'
    fields[#fields + 1] = cmsgpack.pack(queue)
  end
  if #fields > 0 then
    call('HSET', state, unpack(fields))
    if wakes ~= nil then
      -- A hint: a user who may not publish does without.
      redis.pcall('PUBLISH', base .. 'changed', wakes and 'wake' or 'news')
    end
  end
end
