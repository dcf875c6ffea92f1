-- list: number and clock, group, limit, states, with bodies or not, section, place, a lane with `l` before it or '', number of ids, ids.
-- States as letters: (r)eady, (l)eased, (d)elayed, (b)locked, (p)arked, dead (x), d(o)ne. A page goes on at a place of a section; it ends
-- with as many messages, or before.
-- Answers with the token of the group, the section and the place to go on from or '', and for each message
--   state, at, id, key, lane, own attempts or 0, attempts, in how many ms or -1, error, record,
--   and of dead letters the reason, when, fence and seq; of parked ones the reason, the data and when; of leased ones that tell how far
--   they are, when and the value; of done ones the status, when, and the value, or the reason and the error
--@flags no-writes
--@include rows log store leases places moves ids group find
--@lazily outcomes lanes
local LOOK = 256 -- messages that are looked at with one command
local LOOK_AT_MOST = 2048
local MAX_BYTES = 8 * 1024 * 1024 -- that an answer has, but for its last message
local LOOK_BYTES = 32 * 1024 * 1024 -- that a page without bodies reads

local name, limit, states, isBare = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5] == '0'
local section, place, idCount = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[9])
-- Only of this lane, or of none.
local onlyLane = string.match(ARGV[8], '^l(.*)$')
local group = open(name) or imagineGroup(name, '', 'earliest')
local row = group.row
local reply = { row.token, '', '' }
local bytes, read, looked = 0, 0, 0

local function wants(letters)
  return string.find(states, '[' .. letters .. ']') ~= nil
end

local function isLive(message)
  return message and (not message.expires or message.expires > now)
end

local function isFull()
  return #reply - 3 >= limit or bytes >= MAX_BYTES or read >= LOOK_BYTES or looked >= LOOK_AT_MOST
end

-- Shows a message, if it is wanted. `details`: what only messages in this state have.
local function show(state, message, attempt, at, reported, details)
  local left = at and at - now or 0
  if at and left <= 0 then
    state = 'r'
  end
  if wants(state) and (not onlyLane or onlyLane == (message.lane or '')) then
    local record = isBare and headersOf(message.record) or message.record
    bytes = bytes + #record + #(reported or '')
    local entry = {
      state,
      message.at,
      message.id,
      message.key or '',
      message.lane or '',
      message.max or 0,
      attempt,
      left > 0 and math.ceil(left) or -1,
      reported or '',
      record,
    }
    for _, value in ipairs(details or {}) do
      entry[#entry + 1] = value
      bytes = bytes + (type(value) == 'string' and #value or 0)
    end
    reply[#reply + 1] = entry
  end
end

local function showLeased(message, attempt, ends, number)
  show('l', message, attempt, ends, nil, row.running and ends > now and progressOf(group, message.seq, number))
end

-- Shows a message of `held`.
local function showHeld(message, side)
  if side and side.lease then
    showLeased(message, side.attempt, side.at, side.lease)
  elseif isLive(message) then
    if side and side.parked then
      local parked = side.parked
      show('p', message, side.attempt, nil, nil, { parked.reason, parked.data or '', parked.at })
    elseif side and not side.blocked then
      show('d', message, side.attempt, side.at, side.error)
    elseif not side and message.lane then
      show('r', message, 0)
    else
      show('b', message, 0)
    end
  end
end

local function showDead(letter)
  if not (letter.ends and letter.ends <= now) then
    local details = { letter.reason, letter.at, letter.fence, letter.message.seq }
    show('x', letter.message, letter.attempt, nil, letter.error, details)
  end
end

-- How many to read next, so that it is not too much, going by those before.
local function ask()
  local each = looked > 0 and math.max(1, read / looked) or LOOK_BYTES / 64
  return math.min(LOOK, math.max(1, math.floor((LOOK_BYTES - read) / each)))
end

-- Walks through a sorted set whose scores are seqs, from behind `place` on.
local function walk(key, each, below)
  local from = place == '' and '-inf' or '(' .. place
  local last = tonumber(place) or 0
  while true do
    local count = ask()
    local rows = call('ZRANGEBYSCORE', key, from, below or '+inf', 'LIMIT', 0, count)
    for _, member in ipairs(rows) do
      looked = looked + 1
      read = read + #member
      local seq = each(member)
      if not isNumber(seq) or seq <= last then
        corrupt('a message')
      end
      last = seq
      place = string.format('%.0f', seq)
      if isFull() then
        return true
      end
    end
    if #rows < count then
      return false
    end
    from = '(' .. place
  end
end

local sections = {}

-- Those that are parked have a section of their own.
local function showUnlessParked(member)
  local message = cmsgpack.unpack(member)
  local side = sideOf(group, message.seq)
  if not (side and side.parked) then
    showHeld(message, side)
  end
  return message.seq
end

-- What a group that joins has of lanes beyond what it has yet to take over begins here.
local laneBound = row.join and (row.join.lanes or row.join.bound)

sections[1] = { 'lr', function()
  local from = tonumber(place ~= '' and place or 0) + 1
  while row.leased > row.out do
    local member = call('ZRANGEBYSCORE', keyOf(group, 'leases'), from, '+inf', 'LIMIT', 0, 1)[1]
    if not member then
      return false
    end
    local lease = toLease(member)
    if lease.last < from then
      corrupt('a lease')
    end
    for seq = math.max(from, lease.first), lease.last do
      local message = logMessage(seq)
      place = string.format('%.0f', seq)
      if not message then
        corrupt('a lease')
      end
      looked = looked + 1
      read = read + #message.record
      showLeased(message, lease.attempt, lease.ends, lease.number)
      if isFull() then
        return true
      end
    end
    from = lease.last + 1
  end
end }

sections[2] = { 'ldbr', function()
  if onlyLane and onlyLane ~= '' and place == '' then
    place = string.format('%.0f', LANE_BASE - 1)
  end
  local below = onlyLane == '' and LANE_BASE or row.join and row.join.lanes and LANE_BASE or laneBound
  return walk(keyOf(group, 'held'), showUnlessParked, below and string.format('(%.0f', below))
end }

-- What a group has yet to take over.
sections[3] = { 'r', function()
  local join = row.join
  while join do
    if (tonumber(place) or 0) >= join.bound - 1 then
      nextWindow(join)
    end
    join.from = math.max(join.from, tonumber(place) or 0)
    local messages, bound = unjoined(group, ask())
    for _, message in ipairs(messages) do
      looked = looked + 1
      read = read + #message.record
      place = string.format('%.0f', message.seq)
      if isLive(message) then
        show('r', message, 0)
      end
      if isFull() then
        return true
      end
    end
    if bound >= join.bound and not join.lanes then
      return false
    end
    place = string.format('%.0f', bound - 1)
  end
end }

sections[4] = { 'ldbr', function()
  if not laneBound then
    return false
  end
  place = string.format('%.0f', math.max(laneBound - 1, tonumber(place) or 0))
  return walk(keyOf(group, 'held'), showUnlessParked)
end }

sections[5] = { 'r', function()
  local from = math.max(row.cursor, tonumber(place ~= '' and place or 0) + 1)
  while from < queue.tail do
    local entry = segmentsFrom(from, 1)[1]
    if not entry then
      return false
    end
    local segment = toSegment(entry)
    local amendments, gone = amendmentsOf(segment.first, segment.last), goneIn(segment.first, segment.last)
    looked = looked + 8
    read = read + #segment.blob
    for seq = math.max(from, segment.first), segment.last do
      place = string.format('%.0f', seq)
      if gone and gone[seq] then
        looked = looked + 0.25
      else
        looked = looked + 1
        local message = amendments and amendments[seq] or messageAt(segment, seq - segment.first + 1)
        if isLive(message) then
          show('r', message, 0)
        end
      end
      if isFull() then
        return true
      end
    end
    from = segment.last + 1
  end
  return false
end }

-- Whether a delayed message was due before a group started that begins at the latest.
local function isBefore(number, at)
  return row.since and at <= row.since.at and number < row.since.number
end

-- The place is when the last one is due, and its number.
sections[6] = { 'dr', function()
  local at, number = string.match(place, '^(.*)/(.*)$')
  local index = 0
  if at then
    local rank = call('ZRANK', base .. 'timers', number)
    index = rank and rank + 1 or call('ZCOUNT', base .. 'timers', '-inf', at)
  end
  while true do
    local rows = call('ZRANGE', base .. 'timers', index, index + LOOK - 1, 'WITHSCORES')
    for i = 1, #rows, 2 do
      local due = tonumber(rows[i + 1])
      place = rows[i + 1] .. '/' .. rows[i]
      looked = looked + 1
      if not isBefore(tonumber(rows[i]), due) then
        local message = delayedMessage(rows[i])
        if isLive(message) then
          read = read + #message.record
          show('d', message, 0, due)
        end
      end
      if isFull() then
        return true
      end
    end
    if #rows < 2 * LOOK then
      return false
    end
    index = index + LOOK
  end
end }

sections[7] = { 'x', function()
  return walk(keyOf(group, 'dead'), function(member)
    local letter = cmsgpack.unpack(member)
    showDead(letter)
    return letter.message.seq
  end)
end }

-- Shows what became of a message, unless a dead letter tells it.
local function showDone(outcome)
  if outcome.ends <= now or outcome.status == 'dead' and letterAt(group, outcome.seq) then
    return
  end
  local message = { id = outcome.id, key = outcome.key, lane = outcome.lane, at = outcome.at, max = outcome.max, record = '' }
  show('o', message, outcome.attempt, nil, outcome.error, detailsOf(outcome))
end

sections[8] = { 'p', function()
  return walk(keyOf(group, 'parked'), function(member)
    local seq = tonumber(member)
    local message, side = heldAt(group, seq)
    read = read + #message.record
    showHeld(message, side)
    return seq
  end)
end }

sections[9] = { 'o', function()
  return walk(keyOf(group, 'results'), function(member)
    local outcome = cmsgpack.unpack(member)
    showDone(outcome)
    return outcome.seq
  end)
end }

-- How a message stands that is not done.
local function showStanding(id)
  local found = find(id)
  if not found then
    return
  end
  if found.number then
    local message = delayedMessage(found.number)
    local at = tonumber(call('ZSCORE', base .. 'timers', seqText(found.number)))
    if at and isLive(message) and not isBefore(found.number, at) then
      show('d', message, 0, at)
    end
    return
  end
  local spot = locate(group, found.seq)
  if not spot then
    return
  end
  local message = messageIn(group, spot, found.seq)
  if not message then
    corrupt('a message')
  end
  read = read + #message.record
  if spot.kind == 'lined' then
    showHeld(message)
  elseif spot.kind == 'leased' then
    showLeased(message, spot.lease.attempt, spot.lease.ends, spot.lease.number)
  elseif spot.kind == 'ahead' or spot.kind == 'unjoined' then
    if isLive(message) then
      show('r', message, 0)
    end
  else
    showHeld(message, spot.side)
  end
end

-- The last dead letter of an id.
local function showLetter(id)
  local prefix = chainOf(id)
  local member = call('ZREVRANGEBYLEX', keyOf(group, 'letters'), '[' .. prefix .. '\255', '[' .. prefix, 'LIMIT', 0, 1)[1]
  local seq = member and tonumber(string.sub(member, #prefix + 1))
  seq = seq or seqOf(id)
  local letter = seq and letterAt(group, seq)
  if letter and letter.message.id == id then
    read = read + #letter.message.record
    showDead(letter)
  end
end

-- Given ids: the dead letter of each, what became of it, and then the message, if it was sent again.
local function showIds()
  local first = place == '' and 0 or tonumber(place)
  for step = first, 3 * idCount - 1 do
    local id = ARGV[10 + math.floor(step / 3)]
    place = string.format('%.0f', step + 1)
    if step % 3 == 2 then
      showStanding(id)
    elseif step % 3 == 1 then
      local outcome = wants('o') and row.kept and outcomeOf(group, id)
      if outcome then
        showDone(outcome)
      end
    elseif wants('x') and row.dead > 0 then
      showLetter(id)
    end
    if isFull() then
      return true
    end
  end
  return false
end

if idCount >= 0 then
  if showIds() then
    reply[2], reply[3] = '1', place
  end
  return reply
end
while sections[section] do
  local letters, walkThrough = sections[section][1], sections[section][2]
  if wants(letters) and walkThrough() then
    reply[2], reply[3] = tostring(section), place
    return reply
  end
  section = section + 1
  place = ''
end
return reply
