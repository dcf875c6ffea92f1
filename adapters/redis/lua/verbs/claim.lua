-- claim: number and clock, limit, leaseMs, maxAttempts, how long to keep dead letters or '', whether the next of their keys is parked,
-- what lanes may do as JSON or '', the receipt of a lease that the caller has in hand or '', groups to make, the last of which is the one that claims, then what is to be settled.
-- Answers with the token of the group, the number of the lease, in how many ms to look again, -1 for never and -2 if what is in hand has ended, the results of what
-- was settled, where the turns of a claim of some lanes go on, and then the deliveries: stretches of the log
--   first, count, at, the start of ids, ids or '', own numbers of attempts or '', where the records begin, ends and records, and how
--   long what becomes of each is kept or 0, if it is of any
-- and single messages
--   seq, 'l' or 'h' as in settling, at, id, key, own attempts or 0, attempt, error, record, and, where it has either, how long what
--   becomes of it is kept or 0, and the lane if it has one
--@flags allow-oom
--@include rows log store leases places moves ids expire group settling
--@lazily parked outcomes lanes holds
local PASS = 256 -- messages of the log that a claim passes over at most once it has found something
local PASS_ON = 1024 -- messages that a claim looks at at most for nothing
local GONE_SEGMENTS = 64 -- segments of the log of which all is gone that a claim passes over at most
local SEGMENTS_AT_ONCE = 16
local FEW = 64 -- delayed messages that are moved at least, so that they share a segment
local MAX_BYTES = 8 * 1024 * 1024 -- that an answer has, but for its last message
local MAX_DELIVERIES = 10000
local LEASE_LOST = 'sthe lease ended before the delivery was settled'

local limit, leaseMs, maxAttempts = math.min(tonumber(ARGV[2]), MAX_DELIVERIES), tonumber(ARGV[3]), tonumber(ARGV[4])
local group, rest = openGroups(9)
local row = group.row
row.deadFor = tonumber(ARGV[5])
row.parksNext = ARGV[6] == '1' or nil

-- Rules: limits, as in `limitsOf`, with the longest prefixes first. `only`: a prefix, or `names`, the first of them the lane whose turn
-- it is; `at` and `left`: the position of a claim of some lanes.
local asked = ARGV[7] ~= '' and cjson.decode(ARGV[7]) or {}
local onlySome = asked.only ~= nil or asked.names ~= nil

local settled = settleAll(group, rest)
-- What the caller has in hand would be handed out to it.
local isLate = ARGV[8] ~= '' and not isLeased(group, ARGV[8])
if queue.scan or queue.untidy then
  tidy()
end

-- What was looked at for nothing, and whether that was too much to go on.
local looked, more = sweepExpired(#settled), false
if queue.reap and queue.reap <= now then
  more = true
end
if row.join then
  local isFirst = row.join.lanes ~= nil
  local took = takeOver(group)
  if isFirst and row.join and not row.join.lanes and took < JOIN_AT_ONCE / 2 then
    took = took + takeOver(group)
  end
  looked = looked + took
end

if queue.over and queue.over <= now and sweepHolds() then
  more = true
end
if (queue.laned or onlySome) and sweepDelayed(TIMERS_AT_ONCE) > 0 and isOverdue() then
  more = true
end
local lanes = row.lanes
if lanes and lanes.flows > 0 and wakeLanes(group) then
  more = true
end
if flowsChanged then
  finishFlows()
end

local ends = now + leaseMs
local reply = { row.token, nonce, -1, settled, '' }
local taken, bytes = 0, 0
group.changed = true

-- What the group may have, if that is less: nothing, or one at a time. See holds.lua.
local heldFor, probes = nil, {}
if queue.holds then
  heldFor, probes = hindrances(group)
end
local probeEnds = #probes > 0 and probeOut(group, probes)
if heldFor or probeEnds or isLate then
  limit = 0
elseif #probes > 0 then
  limit = math.min(limit, 1)
end
-- What a lane may have in its turn.
local cap = math.huge
local lastTaken

local function room()
  -- A group that joins gives out nothing before it has everything in order that is of no lane. Of lanes it has the first of each first.
  if bytes >= MAX_BYTES or row.join and row.join.bound < LANE_BASE then
    return 0
  end
  return math.min(limit, cap) - taken
end

-- Leases on stretches of the log, which grow as long as they touch. `before`: the bytes of the log before the one at hand.
local stretch
local before = 0

local function flush()
  if stretch then
    addLease(group, stretch)
    stretch = nil
  end
end

local function lease(first, last, attempt, named, key)
  if stretch and not key and stretch.last == first - 1 and stretch.attempt == attempt then
    stretch.last = last
    stretch.named = stretch.named or named
    return
  end
  flush()
  stretch = { first = first, last = last, ends = ends, number = nonce, attempt = attempt, named = named, key = key, bytes = before }
  if key then
    flush()
  end
end

local function verdict(message, attempt)
  if message.expires and message.expires <= now then
    return 'expired'
  end
  if attempt >= (message.max or maxAttempts) then
    return 'exhausted'
  end
end

-- Leases a message, or buries it. `held`: it is outside the log. `key`: what it is the head of.
local function take(message, attempt, held, key, reported)
  local seq = message.seq
  local reason = verdict(message, attempt)
  if reason then
    looked = looked + DEATH
    if held then
      dropHeld(group, message)
    end
    if row.parksNext and message.key then
      stopBehind(group, message)
    end
    free(group, key)
    bury(group, message, attempt, reason, reported, row.deadFor)
    return false
  end
  lastTaken = seq
  if held then
    local side = { lease = nonce, at = ends, attempt = attempt + 1, lane = message.lane }
    if message.lane then
      side.expires = message.expires
      -- What an ack needs to know, if that is little.
      side.size = not message.key and not message.named and not message.keep and #message.record or nil
      leaseInLane(group, seq, side, ends, true)
    else
      call('ZADD', keyOf(group, 'ends'), ends, seqText(seq))
      putSide(group, seq, side)
    end
    row.leased = row.leased + 1
    row.out = row.out + 1
    if message.expires then
      call('ZREM', keyOf(group, 'reap'), seqText(seq))
    end
  else
    lease(seq, seq, attempt + 1, message.named ~= nil or message.keep ~= nil, key)
  end
  taken = taken + 1
  bytes = bytes + #message.record
  reply[#reply + 1] = {
    seq,
    held and 'h' or 'l',
    message.at,
    message.id,
    message.key or '',
    message.max or 0,
    attempt + 1,
    reported or '',
    message.record,
    message.keep or message.lane and 0,
    message.lane,
  }
  return true
end

-- Leases that have ended are leased anew.
local function takeEnded()
  if row.leased == 0 then
    return
  end
  while room() > 0 do
    local member = call('ZRANGEBYSCORE', keyOf(group, 'ends'), '-inf', now, 'LIMIT', 0, 1)[1]
    if not member then
      break
    end
    if looked >= PASS_ON then
      more = true
      break
    end
    if string.match(member, '^%d+$') then
      local seq = tonumber(member)
      local message, side = heldAt(group, seq)
      call('ZREM', keyOf(group, 'ends'), member)
      row.leased = row.leased - 1
      row.out = row.out - 1
      row.failed = row.failed + 1
      take(message, side.attempt, true, message.key, LEASE_LOST)
    else
      local old = toLease(member)
      dropLease(group, old)
      before = old.bytes
      local seq = old.first
      while seq <= old.last and room() > 0 and looked < PASS_ON do
        row.failed = row.failed + 1
        take(logMessage(seq), old.attempt, false, old.key, LEASE_LOST)
        seq = seq + 1
      end
      if seq <= old.last then
        addLease(group, partOf(old, seq, old.last))
      end
    end
  end
end

-- Messages that waited for their time, and heads of keys that became free.
local function takeDue()
  while row.waiting > 0 and room() > 0 do
    local due = call('ZRANGEBYSCORE', keyOf(group, 'due'), '-inf', now, 'LIMIT', 0, math.min(room(), PASS))
    if #due == 0 then
      break
    end
    if looked >= PASS_ON then
      more = true
      break
    end
    for _, member in ipairs(due) do
      if room() == 0 then
        return
      end
      local seq = tonumber(member)
      local message, side = heldAt(group, seq)
      call('ZREM', keyOf(group, 'due'), member)
      row.waiting = row.waiting - 1
      take(message, side.attempt, true, message.key, side.error)
    end
  end
end

-- Messages blocked after the first was taken: whoever has something need not wait for more.
local blocked = 0

-- One message of the log after the other: some of it has to be decided.
local function takeEach(segment, from, amendments, gone)
  local i = from
  while i <= segment.count and room() > 0 and looked < PASS_ON do
    local seq = segment.first + i - 1
    if gone and gone[seq] then
      looked = looked + 0.25
    else
      local message = amendments and amendments[seq] or messageAt(segment, i)
      local key = message.key
      if not key or verdict(message, 0) then
        take(message, 0, false)
      elseif staysBehind(group, message) then
        looked = looked + 1
        if taken > 0 then
          blocked = blocked + 1
        end
      else
        call('HSET', keyOf(group, 'heads'), key, seqText(seq))
        take(message, 0, false, key)
      end
    end
    i = i + 1
  end
  return i
end

-- A stretch of the log that holds nothing to decide.
local function takeStretch(segment, from)
  local to = math.min(segment.count, from + room() - 1)
  local size = sizeOf(segment, from, to)
  local columns = segment.columns
  local ids, own, named, keep = '', '', false, nil
  if columns then
    if columns.id then
      ids = {}
      for i = from, to do
        ids[#ids + 1] = columns.id[i] or ''
      end
      for i in pairs(columns.named or {}) do
        named = named or (i >= from and i <= to)
      end
    end
    if columns.max then
      own = {}
      for i = from, to do
        own[#own + 1] = columns.max[i] or 0
      end
    end
    if columns.keep then
      keep, named = {}, true
      for i = from, to do
        keep[#keep + 1] = columns.keep[i] or 0
      end
    end
  end
  local blob = segment.blob
  local ends = 4 * segment.count
  local begin = startOf(blob, from)
  if from > 1 or to < segment.count then
    blob = string.sub(blob, 4 * from - 3, 4 * to) .. string.sub(blob, ends + begin + 1, ends + begin + size)
  end
  local first = segment.first + from - 1
  lastTaken = first
  reply[#reply + 1] = { first, to - from + 1, segment.at, segment.base, ids, own, begin, blob, keep }
  lease(first, segment.first + to - 1, 1, named)
  taken = taken + to - from + 1
  bytes = bytes + size
  return to + 1
end

local function takeFromLog()
  local ask, skipped = 1, 0
  while room() > 0 and row.cursor < queue.tail do
    if looked >= PASS_ON or blocked >= PASS or skipped >= GONE_SEGMENTS then
      more = true
      return
    end
    -- Turns take one message of a segment after the other.
    local atHand = known and row.cursor >= known.first and row.cursor <= known.last
    local entries = atHand and { known } or segmentsFrom(row.cursor, ask)
    if #entries == 0 then
      corrupt('the log')
    end
    for _, entry in ipairs(entries) do
      if room() == 0 or looked >= PASS_ON then
        break
      end
      local segment = atHand and known or toSegment(entry)
      known = segment
      local from = math.max(row.cursor, segment.first)
      local place = from - segment.first + 1
      local amendments = amendmentsOf(from, segment.last)
      local gone, count = goneIn(from, segment.last)
      local columns = segment.columns
      before = segment.bytes
      if count == segment.last - from + 1 then
        skipped = skipped + 1
        place = segment.count + 1
      elseif amendments or gone or (columns and (columns.key or columns.expires or columns.at)) then
        place = takeEach(segment, place, amendments, gone)
      else
        place = takeStretch(segment, place)
      end
      row.cursor = segment.first + place - 1
      row.passed = segment.bytes + (place > segment.count and sizeOf(segment, 1, segment.count) or 0)
      -- Few large reads: as many segments as are likely to be needed, going by this one.
      ask = math.min(SEGMENTS_AT_ONCE, math.max(1, math.ceil(room() / segment.count)))
    end
  end
end

-- What is no lane's. Answers whether that was something.
local function takePlain()
  local before = taken
  takeEnded()
  takeDue()
  takeFromLog()
  -- What is due comes behind the log.
  local moved = 0
  while moved < PASS_ON and room() > 0 and row.cursor == queue.tail and isOverdue() do
    moved = moved + sweepDelayed(math.min(TIMERS_AT_ONCE, math.max(FEW, room())))
    takeFromLog()
  end
  -- The keys of messages of the log that died a moment ago.
  takeDue()
  return taken > before
end

local takesTurns = onlySome or lanes ~= nil and lanes.flows > 0
if takesTurns then
--@include turns
  takeInTurns()
else
  if takePlain() and lanes then
    lanes.at, lanes.left = '', 0
  end
end
flush()
if #probes > 0 and lastTaken then
  noteProbe(group, probes, lastTaken, nonce)
end
row.served = row.served or taken > 0
unpin(group)
if concluded then
  keepOutcomes()
end
forgetIds()
if flowsChanged then
  finishFlows()
end

local function noteNext(next, time)
  return next and time and math.min(next, time) or next or time
end

local isOut = room() <= 0 and not heldFor and not probeEnds
if isLate then
  reply[3] = -2
elseif
  more
  or row.join
  or isOut and (not onlySome and row.cursor < queue.tail or takesTurns and isLeft())
then
  reply[3] = 0
else
  local next
  if heldFor or probeEnds then
    next = heldFor and math.max(heldFor, probeEnds or 0) or probeEnds
  else
    next = queue.timer
    if row.waiting > 0 and not onlySome then
      next = noteNext(next, tonumber(call('ZRANGE', keyOf(group, 'due'), 0, 0, 'WITHSCORES')[2]))
    end
    if row.leased > 0 and not onlySome then
      next = noteNext(next, tonumber(call('ZRANGE', keyOf(group, 'ends'), 0, 0, 'WITHSCORES')[2]))
    end
    if row.lanes and row.lanes.flows > 0 then
      for _, kind in ipairs({ 'rests', 'lends', 'wake' }) do
        next = noteNext(next, tonumber(call('ZRANGE', keyOf(group, kind), 0, 0, 'WITHSCORES')[2]))
      end
    end
    next = noteNext(next, queue.over)
  end
  if next and next < math.huge then
    reply[3] = math.max(0, math.ceil(next - now))
  end
end
if #settled > 0 then
  finish(settledWakes)
else
  finish()
end
return reply
