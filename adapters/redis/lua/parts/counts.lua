-- Counting. The rows tell nearly everything; what has expired and was not worked off, the leases that have ended, and what
-- joining groups have yet to take over, has to be looked at, in as many steps as it takes.

-- What there is to look at. `todo`: in what, of which group, and from where on. The results, by group: `ended` leases, what
-- is to be added to the messages that are `ready`, `delayed`, `blocked` or `parked`, and `none`: the same of a queue without groups.
local function startCount()
  local count = { now = now, todo = {}, groups = {}, none = 0 }
  count.todo[1] = { 'log', '', 0 }
  for name, group in pairs(allGroups()) do
    count.groups[name] = { ended = 0, ready = 0, delayed = 0, blocked = 0, parked = 0 }
    for _, kind in ipairs({ 'reap', 'ends', 'join' }) do
      count.todo[#count.todo + 1] = { kind, name, 0 }
    end
  end
  return count
end

-- Members of a sorted set from a place on, as long as their scores are times that are over. Where others go on, if they do.
local function overFrom(key, place, most, time)
  local rows = call('ZRANGE', key, place, place + most - 1, 'WITHSCORES')
  local members = {}
  for i = 1, #rows, 2 do
    if tonumber(rows[i + 1]) > time then
      return members
    end
    members[#members + 1] = rows[i]
  end
  return members, #members == most and place + most or nil
end

local look = {}

function look.log(count, _, place)
  if not queue.reap or queue.reap > count.now then
    return nil, 0
  end
  local members, next = overFrom(base .. 'expiry', place, 64, count.now)
  local looked = 0
  for _, member in ipairs(members) do
    local segment = segmentAt(tonumber(member))
    if segment then
      local amendments, gone = amendmentsOf(segment.first, segment.last), goneIn(segment.first, segment.last)
      local expiries = segment.columns and segment.columns.expires or {}
      looked = looked + segment.count + 16
      for i = 1, segment.count do
        local seq = segment.first + i - 1
        local expires = expiries[i]
        if amendments and amendments[seq] then
          expires = amendments[seq].expires
        end
        if expires and expires <= count.now and not (gone and gone[seq]) then
          count.none = count.none - 1
          for name, group in pairs(groups) do
            if seq >= group.row.cursor and count.groups[name] then
              count.groups[name].ready = count.groups[name].ready - 1
            end
          end
        end
      end
    end
  end
  return next, looked
end

function look.reap(count, group, place)
  local lanes = group.row.lanes
  if group.row.waiting + group.row.blocked + (group.row.parked or 0) == 0 and not (lanes and lanes.flows > 0) then
    return nil, 0
  end
  local members, next = overFrom(keyOf(group, 'reap'), place, 500, count.now)
  local numbers = count.groups[group.name]
  if #members > 0 then
    local sides = call('HMGET', keyOf(group, 'side'), unpack(members))
    for i = 1, #members do
      local side = sides[i] and cmsgpack.unpack(sides[i])
      local isBehind = side and side.blocked or not side and tonumber(members[i]) < LANE_BASE
      local state = isBehind and 'blocked' or 'ready'
      if side and not side.blocked then
        state = side.parked and 'parked' or side.at > count.now and 'delayed' or 'ready'
      end
      numbers[state] = numbers[state] - 1
    end
  end
  return next, #members
end

function look.ends(count, group, place)
  if group.row.leased == 0 then
    return nil, 0
  end
  local members, next = overFrom(keyOf(group, 'ends'), place, 500, count.now)
  local numbers = count.groups[group.name]
  for _, member in ipairs(members) do
    local lease = string.match(member, '^%d+$') and { first = 0, last = 0 } or toLease(member)
    numbers.ended = numbers.ended + lease.last - lease.first + 1
  end
  return next, #members
end

function look.join(count, group, place)
  local join = group.row.join
  if not join then
    return nil, 0
  end
  -- A step answers for what it has looked at; the row is not written.
  if place >= join.bound - 1 then
    nextWindow(join)
  end
  join.from = math.max(join.from, place)
  local messages, bound = unjoined(group, 500)
  for _, message in ipairs(messages) do
    if not message.expires or message.expires > count.now then
      count.groups[group.name].ready = count.groups[group.name].ready + 1
    end
  end
  if bound < join.bound or join.lanes then
    return bound - 1, #messages
  end
  return nil, #messages
end

-- Goes on looking. Answers whether that was all.
local function goOn(count, most)
  while #count.todo > 0 do
    if most <= 0 then
      return false
    end
    local one = count.todo[1]
    local kind, name = one[1], one[2]
    local group = kind == 'log' or count.groups[name] and groups[name]
    local next, looked
    if group then
      next, looked = look[kind](count, group, one[3])
      most = most - looked
    end
    if next then
      one[3] = next
    else
      table.remove(count.todo, 1)
    end
  end
  return true
end

-- Delayed messages that are due and were not moved; and of these, those that have expired.
local function countOverdue(time)
  if not queue.timer or queue.timer > time then
    return 0, 0
  end
  local due = call('ZCOUNT', base .. 'timers', '-inf', time)
  return due, call('ZCOUNT', base .. 'lapse', '-inf', time)
end

-- How many of the overdue that have expired one step looks at, for a group that does not get all.
local LAPSED_AT_ONCE = 2000

-- The same for a group that does not get those of before it started.
local function countOverdueSince(since, time)
  local due = call('ZCOUNT', base .. 'timers', string.format('(%.0f', since.at), time)
  local lapsed = 0
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'lapse', '-inf', time, 'LIMIT', 0, LAPSED_AT_ONCE)) do
    local at = tonumber(call('ZSCORE', base .. 'timers', member))
    lapsed = lapsed + (at and at > since.at and 1 or 0)
  end
  return due, lapsed
end

-- The numbers of a group: ready, leased, delayed, blocked, parked.
local function countGroup(count, group)
  local row, numbers, time = group.row, count.groups[group.name], count.now
  local overdue, lapsed = countOverdue(time)
  local later = queue.delayed - overdue
  if row.since and overdue > 0 then
    overdue, lapsed = countOverdueSince(row.since, time)
  end
  local due = row.waiting > 0 and call('ZCOUNT', keyOf(group, 'due'), '-inf', time) or 0
  local ahead, ended = queue.tail - row.cursor - countGone(row.cursor), numbers.ended
  local lanes = row.lanes
  if lanes and lanes.flows > 0 then
    due = due + lanes.again + call('ZCOUNT', keyOf(group, 'rests'), '-inf', time)
    ahead = ahead + lanes.ahead
    ended = ended + lanes.lost + call('ZCOUNT', keyOf(group, 'lends'), '-inf', time)
  end
  return ahead + due + overdue - lapsed + ended + numbers.ready,
    row.leased - ended,
    later + row.waiting - due + numbers.delayed,
    row.blocked + numbers.blocked,
    (row.parked or 0) + numbers.parked
end

-- The number of messages that the queue retains.
local function countMessages(count)
  local most = 0
  for name in pairs(count.groups) do
    local ready, leased, delayed, blocked, parked = countGroup(count, groups[name])
    most = math.max(most, ready + leased + delayed + blocked + parked)
  end
  if queue.groups == 0 then
    local first = firstSegment()
    local _, lapsed = countOverdue(count.now)
    most = queue.tail - (first and first.first or queue.tail) - countGone(0) + queue.delayed - lapsed + count.none
    if queue.early then
      most = most + queue.early - call('ZCOUNT', base .. 'earlyreap', '-inf', count.now)
    end
  end
  return most
end

-- What an append looks at to know how many messages there are.
local LOOK_BEFORE_APPEND = 10000

-- The number of messages that the queue retains; no less than that if it is not above `enough`.
local function countRetained(enough)
  if not enough then
    return 0
  end
  local count = startCount()
  -- What joining groups have to take over is retained by others, too.
  local messages = countMessages(count)
  if messages > enough then
    local todo = {}
    for _, one in ipairs(count.todo) do
      -- Leases that have ended are messages all the same.
      if one[1] ~= 'ends' then
        todo[#todo + 1] = one
      end
    end
    count.todo = todo
    goOn(count, LOOK_BEFORE_APPEND)
    messages = countMessages(count)
  end
  return messages
end

-- Bytes of what the queue retains.
local function bytesRetained()
  local first = firstSegment()
  local bytes = queue.later + (queue.earlyBytes or 0) + (first and queue.bytes - first.bytes or 0)
  for _, group in pairs(allGroups()) do
    bytes = bytes + group.row.outside
  end
  return bytes
end
