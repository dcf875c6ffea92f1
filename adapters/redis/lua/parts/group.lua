-- Groups begin, and join.
--
-- A group that starts at the earliest gets what others hold outside the log below its cursor, too. It takes that over step
-- by step, in the order of the queue, and delivers nothing before it has, but for what it has of lanes by then. `join`: what it takes it from, `keys`; from which
-- seq on, `from`, and below which, `bound`; and when it started, `at`, which was after so many `redrives`. What others finish
-- meanwhile they hand over. What lanes have comes last: `lanes` is the first seq behind that. `parts`: of keys that only other
-- groups had yet to take over, by key, which stretches those were.
--
-- One that starts at the latest while delayed messages are overdue does not get those: `since` tells which they were.
local function newRow(token, cursor, passed)
  return {
    token = token,
    cursor = cursor,
    passed = passed,
    floor = cursor,
    trimmed = cursor,
    cleared = passed,
    leased = 0,
    out = 0,
    waiting = 0,
    blocked = 0,
    outside = 0,
    dead = 0,
    acked = 0,
    failed = 0,
    latest = 0,
  }
end

local GROUP_KEYS = {
  'leases', 'ends', 'side', 'due', 'parked', 'named', 'reap', 'heads', 'chain', 'stops', 'dead', 'fade', 'letters',
  'results', 'until', 'kept', 'progress', 'line', 'again', 'rests', 'lends', 'flows', 'lanes', 'ready', 'wake',
}
-- What other groups may take over.
local SOURCES = { 'held', 'handed' }

-- Whether a group that joins has yet to take something from a key.
local function isSource(key)
  if queue.joining > 0 then
    for _, group in pairs(allGroups()) do
      for _, one in ipairs(group.row.join and group.row.join.keys or {}) do
        if one == key then
          return true
        end
      end
    end
  end
  return false
end

-- Deletes a key that was, or may have been, a source.
local function releaseSource(key)
  if isSource(key) then
    queue.ghosts = queue.ghosts or {}
    queue.ghosts[key] = true
  else
    call('UNLINK', base .. key)
    if queue.ghosts then
      queue.ghosts[key] = nil
    end
  end
  queueChanged = true
end

local function endJoin(group)
  group.row.join = nil
  group.changed = true
  queue.joining = queue.joining - 1
  releaseSource('handed:' .. group.row.token)
  for key in pairs(queue.ghosts or {}) do
    releaseSource(key)
  end
end

-- Deletes the keys of a group that has ended, and is none of the groups any more.
local function unlinkGroup(group)
  for _, kind in ipairs(GROUP_KEYS) do
    call('UNLINK', keyOf(group, kind))
  end
  tally(queue, 'kept', -(group.row.kept or 0))
  tally(queue, 'keepers', -(group.row.keepers or 0))
  if group.row.since then
    queue.late = queue.late - 1
  end
  if group.row.join then
    endJoin(group)
  end
  for _, kind in ipairs(SOURCES) do
    releaseSource(kind .. ':' .. group.row.token)
  end
end

-- What a group that joins has yet to take over of a key, as parts: from behind a seq, to below another, but for what was redriven since.
local function partsOf(join, key)
  local parts = {}
  local last = join.lanes or join.bound
  for _, part in ipairs(join.parts and join.parts[key] or { { from = 0, to = last, redrives = join.redrives } }) do
    local from, to = math.max(part.from, join.from), math.min(part.to, last)
    if from + 1 < to then
      parts[#parts + 1] = { from = from, to = to, redrives = math.min(part.redrives, join.redrives) }
    end
  end
  return parts
end

-- Adds a part, unless another one has all of it: so there are no more than there were groups.
local function addPart(parts, part)
  for i = #parts, 1, -1 do
    local other = parts[i]
    if other.from <= part.from and other.to >= part.to and other.redrives >= part.redrives then
      return
    end
    if part.from <= other.from and part.to >= other.to and part.redrives >= other.redrives then
      table.remove(parts, i)
    end
  end
  parts[#parts + 1] = part
end

-- What a group can take over that starts now, and has the log from `bound` on.
local function joinOf(token, bound)
  local keys, seen, parts = { 'handed:' .. token }, {}, {}
  local function note(key)
    local isNew = not seen[key]
    seen[key] = true
    if
      isNew
      and (
        call('ZCOUNT', base .. key, '-inf', string.format('(%.0f', bound)) > 0
        or queue.laned and call('ZCOUNT', base .. key, string.format('%.0f', LANE_BASE), '+inf') > 0
      )
    then
      keys[#keys + 1] = key
      return true
    end
    return false
  end
  if queue.early then
    note('early')
  end
  for _, group in pairs(allGroups()) do
    note('held:' .. group.row.token)
  end
  for _, group in pairs(groups) do
    local join = group.row.join
    for _, key in ipairs(join and join.keys or {}) do
      if parts[key] or note(key) then
        parts[key] = parts[key] or {}
        for _, part in ipairs(partsOf(join, key)) do
          addPart(parts[key], part)
        end
      end
    end
  end
  local lanes = queue.laned and LANE_BASE + queue.number or nil
  return #keys > 1 and { from = 0, bound = bound, at = now, redrives = queue.redrives or 0, keys = keys, parts = parts, lanes = lanes }
    or nil
end

-- A group as it would start now.
local function imagineGroup(name, token, from)
  local first = firstSegment()
  local cursor = first and first.first or queue.tail
  local row = newRow(token, cursor, first and first.bytes or queue.bytes)
  -- The first group takes everything: messages sent before anybody listened wait for it.
  if queue.groups > 0 then
    if from == 'latest' then
      row = newRow(token, queue.tail, queue.bytes)
      if isOverdue() then
        row.since = { at = now, number = queue.number }
      end
    elseif cursor < queue.tail then
      -- What every group has finished is not retained, even if a segment still holds it.
      row = newRow(token, math.max(cursor, lowestFloor()), row.passed)
    end
  end
  if queue.early or queue.groups > 0 and from ~= 'latest' then
    row.join = joinOf(token, row.cursor)
  end
  return { name = name, row = row, changed = false }
end

-- Makes the groups that the arguments from `at` on name, where they do not exist: their number, then for each a name, a
-- token and where it starts. Answers with the last of them, and where the arguments go on.
local function openGroups(at)
  local count = tonumber(ARGV[at])
  local names = {}
  for i = 1, count do
    names[i] = ARGV[at + 3 * i - 2]
  end
  local group = open(unpack(names))
  for i = 1, count do
    group = groups[names[i]]
    if not group then
      group = imagineGroup(names[i], ARGV[at + 3 * i - 1], ARGV[at + 3 * i])
      groups[names[i]] = group
      group.changed = true
      group.row.born = queue.holds and nonce or nil
      if queue.early and queue.groups == 0 then
        -- The first group has it in its `join`.
        queue.ghosts = queue.ghosts or {}
        queue.ghosts.early = true
        queue.early, queue.earlyBytes = nil, nil
        call('UNLINK', base .. 'earlyreap')
      end
      queue.groups = queue.groups + 1
      queue.joining = queue.joining + (group.row.join and 1 or 0)
      queue.late = queue.late + (group.row.since and 1 or 0)
      queueChanged = true
    end
  end
  return group, at + 3 * count + 1
end

-- The next messages that a group has to take over, by seq, each once; their bytes are limited, too.
local JOIN_BYTES = 4 * 1024 * 1024

local function unjoined(group, most)
  local join = group.row.join
  local bySeq, seqs = {}, {}
  local bound = join.bound
  for _, key in ipairs(join.keys) do
    local from, taken, size = join.from, 0, 0
    while taken < most do
      -- As many as are likely to be small enough, going by those before.
      local each = taken > 0 and math.max(1, size / taken) or JOIN_BYTES / 16
      local ask = math.min(most - taken, math.ceil((JOIN_BYTES - size) / each))
      if ask <= 0 then
        break
      end
      local rows = call('ZRANGEBYSCORE', base .. key, string.format('(%.0f', from), string.format('(%.0f', bound), 'LIMIT', 0, ask)
      for i = 1, #rows do
        local message = cmsgpack.unpack(rows[i])
        if not isNumber(message.seq) or message.seq <= from then
          corrupt('a message')
        end
        from = message.seq
        size = size + #rows[i]
        if not bySeq[from] and isForJoin(join, key, message) then
          bySeq[from] = message
          seqs[#seqs + 1] = from
        end
      end
      taken = taken + #rows
      if #rows < ask then
        break
      end
    end
    -- What was not looked at of this one must not be passed by others.
    if taken >= most or size >= JOIN_BYTES then
      bound = math.min(bound, from + 1)
    end
  end
  table.sort(seqs)
  local messages = {}
  for i = 1, #seqs do
    if seqs[i] < bound then
      messages[#messages + 1] = bySeq[seqs[i]]
    end
  end
  return messages, bound
end

-- Goes on with what lanes have, if there is any.
local function nextWindow(join)
  if not join.lanes then
    return false
  end
  join.from, join.bound, join.lanes = LANE_BASE - 1, join.lanes, nil
  return true
end

-- What a group takes over in one step.
local JOIN_AT_ONCE = 500

-- Answers how much was taken over.
local function takeOver(group)
  local messages, bound = unjoined(group, JOIN_AT_ONCE)
  local at = group.row.join.at
  if messages[1] and messages[1].lane then
    enterLanes(group, messages)
  else
    for i = 1, #messages do
      enter(group, messages[i], at)
    end
  end
  group.row.join.from = bound - 1
  group.changed = true
  if bound >= group.row.join.bound and not nextWindow(group.row.join) then
    endJoin(group)
  end
  return #messages
end
