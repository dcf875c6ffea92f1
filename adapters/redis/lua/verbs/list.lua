-- list: clock, group, limit, states, section, place, number of ids, ids. States as letters: (r)eady, (l)eased, (d)elayed,
-- (b)locked, dead (x). A page goes on at a place of a section; it ends with as many messages, or before.
-- Answers with the token of the group, the section and the place to go on from or '', and for each message
--   state, at, id, key, own attempts or 0, attempts, in how many ms or -1, error, record,
--   and of dead letters the reason, when, fence and seq
--@flags no-writes
--@include rows log store leases places group find
local LOOK = 256 -- messages that are looked at with one command
local LOOK_AT_MOST = 4096
local MAX_BYTES = 8 * 1024 * 1024

local name, limit, states = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local section, place, idCount = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local group = open(name) or imagineGroup(name, '', 'earliest')
local row = group.row
local reply = { row.token, '', '' }
local bytes, looked = 0, 0

local function wants(letters)
  return string.find(states, '[' .. letters .. ']') ~= nil
end

local function isLive(message)
  return message and (not message.expires or message.expires > now)
end

-- Shows a message, if it is wanted, and answers whether the page is full.
local function show(state, message, attempt, at, reported, letter)
  looked = looked + 1
  local left = at and at - now or 0
  if at and left <= 0 then
    state = 'r'
  end
  if wants(state) then
    bytes = bytes + #message.record
    local entry = {
      state,
      message.at,
      message.id,
      message.key or '',
      message.max or 0,
      attempt,
      left > 0 and math.ceil(left) or -1,
      reported or '',
      message.record,
    }
    if letter then
      for _, value in ipairs({ letter.reason, letter.at, letter.fence, message.seq }) do
        entry[#entry + 1] = value
      end
    end
    reply[#reply + 1] = entry
  end
  return #reply - 3 >= limit or bytes >= MAX_BYTES or looked >= LOOK_AT_MOST
end

-- Shows a message of `held`.
local function showHeld(message)
  local side = sideOf(group, message.seq)
  if side and side.lease then
    return show('l', message, side.attempt, side.at)
  end
  if not isLive(message) then
    return false
  end
  if side and not side.parked then
    return show('d', message, side.attempt, side.at, side.error)
  end
  return show('b', message, 0)
end

local function showDead(letter)
  return show('x', letter.message, letter.attempt, nil, letter.error, letter)
end

-- Walks through a sorted set whose scores are seqs, from behind `place` on.
local function walk(kind, each)
  local from = place == '' and '-inf' or '(' .. place
  local last = tonumber(place) or 0
  while true do
    local rows = call('ZRANGEBYSCORE', keyOf(group, kind), from, '+inf', 'LIMIT', 0, LOOK)
    for _, member in ipairs(rows) do
      local one = cmsgpack.unpack(member)
      local seq, full = each(one)
      if not isNumber(seq) or seq <= last then
        corrupt('a message')
      end
      last = seq
      place = string.format('%.0f', seq)
      if full then
        return true
      end
    end
    if #rows < LOOK then
      return false
    end
    from = '(' .. place
  end
end

local sections = {}

sections[1] = { 'lr', function()
  local from = tonumber(place ~= '' and place or 0) + 1
  while true do
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
      if show('l', message, lease.attempt, lease.ends) then
        return true
      end
    end
    from = lease.last + 1
  end
end }

sections[2] = { 'ldbr', function()
  return walk('held', function(message)
    return message.seq, showHeld(message)
  end)
end }

sections[3] = { 'r', function()
  local from = math.max(row.cursor, tonumber(place ~= '' and place or 0) + 1)
  while from < queue.tail do
    local entry = segmentsFrom(from, 1)[1]
    if not entry then
      return false
    end
    local segment = toSegment(entry)
    local amendments = amendmentsOf(segment.first, segment.last)
    for seq = math.max(from, segment.first), segment.last do
      local amendment = amendments and amendments[seq]
      place = string.format('%.0f', seq)
      if not (amendment and amendment.gone) then
        local message = amendment and amendment.message or messageAt(segment, seq - segment.first + 1)
        if isLive(message) and show('r', message, 0) then
          return true
        end
      end
    end
    from = segment.last + 1
  end
  return false
end }

-- The place is when the last one is due, and its number.
sections[4] = { 'dr', function()
  local at, number = string.match(place, '^(.*)/(.*)$')
  local index = 0
  if at then
    local rank = call('ZRANK', base .. 'timers', number)
    index = rank and rank + 1 or call('ZCOUNT', base .. 'timers', '-inf', at)
  end
  while true do
    local rows = call('ZRANGE', base .. 'timers', index, index + LOOK - 1, 'WITHSCORES')
    for i = 1, #rows, 2 do
      local message = delayedMessage(rows[i])
      place = rows[i + 1] .. '/' .. rows[i]
      if isLive(message) and show('d', message, 0, tonumber(rows[i + 1])) then
        return true
      end
    end
    if #rows < 2 * LOOK then
      return false
    end
    index = index + LOOK
  end
end }

sections[5] = { 'x', function()
  return walk('dead', function(letter)
    return letter.message.seq, showDead(letter)
  end)
end }

-- How a message stands that is not done.
local function showStanding(id)
  local found = find(id)
  if not found then
    return false
  end
  if found.number then
    local message = delayedMessage(found.number)
    local at = tonumber(call('ZSCORE', base .. 'timers', seqText(found.number)))
    return isLive(message) and show('d', message, 0, at)
  end
  local spot = locate(group, found.seq)
  if not spot then
    return false
  end
  if spot.kind == 'leased' then
    return show('l', logMessage(found.seq), spot.lease.attempt, spot.lease.ends)
  end
  if spot.kind == 'ahead' then
    local message = logMessage(found.seq)
    return isLive(message) and show('r', message, 0)
  end
  return showHeld(heldMessage(group, found.seq))
end

-- Given ids: the dead letter of each, and then the message, if it was sent again. There is no index of dead letters: they
-- are few, and looked for by hand.
local function showIds()
  local letters = {}
  if wants('x') and row.dead > 0 then
    for _, member in ipairs(call('ZRANGE', keyOf(group, 'dead'), 0, -1)) do
      local letter = cmsgpack.unpack(member)
      letters[letter.message.id] = letter
    end
  end
  local half = place == '' and 0 or tonumber(place)
  for step = half, 2 * idCount - 1 do
    local id = ARGV[8 + math.floor(step / 2)]
    place = string.format('%.0f', step + 1)
    if step % 2 == 0 then
      if letters[id] and showDead(letters[id]) then
        return true
      end
    elseif showStanding(id) then
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
