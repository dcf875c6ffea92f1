-- append: clock, the start of ids, what messages have besides bodies as JSON or '', then for each segment its number of
-- messages and its records.
-- Answers with a letter for each message, the seq that the first one got, and the number that the first delayed one got:
-- `s` stored, `l` stored for later, `d` duplicate, `r` replaced, `S` and `L` replaced by a new one.
--@flags
--@include rows log store
open()
sweepDelayed()
local start, more = ARGV[2], ARGV[3]
local firstSeq, firstNumber = queue.tail, queue.number

if more == '' then
  for i = 4, #ARGV, 2 do
    local count = tonumber(ARGV[i])
    queue.sent = queue.sent + count
    addSegment(count, ARGV[i + 1], nil, clock, start)
  end
  finish(true)
  return { '', firstSeq, firstNumber }
end

--@include leases places moves find drop
local function stored(spec, record, id)
  return {
    id = id,
    key = spec.key,
    expires = spec.expiresInMs and now + spec.expiresInMs,
    max = spec.maxAttempts,
    named = id and (spec.dedupeMs or 0),
    record = record,
  }
end

-- Has the message of an id carry another one, from its first attempt on, in every group.
local function replace(message, places)
  local seq = message.seq
  noteExpiry(seq, message.expires)
  if segmentAt(seq) then
    amend(seq, isGone(seq), message)
  end
  for group, place in pairs(places) do
    if place.kind == 'waiting' or place.kind == 'parked' then
      call('ZREMRANGEBYSCORE', keyOf(group, 'held'), seq, seq)
      putHeld(group, message)
      group.changed = true
      if place.kind == 'waiting' then
        putSide(group, seq, { at = place.side.at, attempt = 0 })
      end
    end
  end
  call('HSET', base .. 'ids', message.id, string.format('s%.0f', seq))
end

local rowOf, pastOf = {}, {}

-- Reads what is known of some ids.
local function lookUp(ids)
  for from = 1, #ids, 1000 do
    local to = math.min(#ids, from + 999)
    local rows = call('HMGET', base .. 'ids', unpack(ids, from, to))
    local past = call('ZMSCORE', base .. 'past', unpack(ids, from, to))
    for i = from, to do
      rowOf[ids[i]] = rows[i - from + 1]
      pastOf[ids[i]] = past[i - from + 1] and tonumber(past[i - from + 1])
    end
  end
end

-- Decides what becomes of a message whose id may be known: `s`, `d`, `r`, or `S` where the one there was dropped.
local function meet(spec, record)
  local id = spec.id
  if not rowOf[id] then
    local known = pastOf[id]
    if known then
      if known > now and not spec.replace then
        return 'd'
      end
      call('ZREM', base .. 'past', id)
      return 's'
    end
  end
  local found = find(id)
  if not found then
    return 's'
  end
  if found.number then
    if not spec.replace then
      return 'd'
    end
    -- The new one brings its own delay.
    drop(id, found)
    return 'S'
  end
  local seq = found.seq
  local places, all, retained = {}, true, false
  for _, group in pairs(allGroups()) do
    local place = locate(group, seq)
    places[group] = place
    retained = retained or place ~= nil
    -- Where somebody works on it, or has done so, what comes now is news.
    all = all and place ~= nil and place.kind ~= 'leased' and place.kind ~= 'held'
  end
  -- The last group that had it may have been deleted.
  if queue.groups == 0 then
    retained = isPending(seq)
  end
  if not retained then
    return 's'
  end
  if not spec.replace then
    return 'd'
  end
  if not all then
    return 's'
  end
  local present = logMessage(seq)
  for group, place in pairs(places) do
    if place.kind ~= 'ahead' then
      present = heldMessage(group, seq)
    end
  end
  if present.key ~= spec.key or (spec.delayMs and spec.delayMs > 0) then
    drop(id, found)
    return 'S'
  end
  local message = stored(spec, record, id)
  message.seq = seq
  message.at = clock
  replace(message, places)
  return 'r'
end

local specs = cjson.decode(more)
local records, marks, met = {}, {}, {}
for i = 4, #ARGV, 2 do
  local segment = { count = tonumber(ARGV[i]), blob = ARGV[i + 1] }
  for place = 1, segment.count do
    records[#records + 1] = recordAt(segment, place)
  end
end
local named = {}
for _, spec in ipairs(specs) do
  if spec ~= 0 and spec.id then
    named[#named + 1] = spec.id
  end
end
lookUp(named)
for i, spec in ipairs(specs) do
  local mark = 's'
  if spec ~= 0 then
    if spec.id then
      mark = met[spec.id] and 'd' or meet(spec, records[i])
      met[spec.id] = true
    end
    if spec.delayMs and spec.delayMs > 0 then
      mark = mark == 's' and 'l' or mark == 'S' and 'L' or mark
    end
  end
  marks[i] = mark
end

firstSeq = queue.tail
local messages, ids = {}, {}
for i, spec in ipairs(specs) do
  local mark = marks[i]
  if spec == 0 then
    messages[#messages + 1] = { record = records[i] }
  elseif mark == 's' or mark == 'S' then
    local message = stored(spec, records[i], spec.id)
    messages[#messages + 1] = message
    local seq = queue.tail + #messages - 1
    noteExpiry(seq, message.expires)
    if spec.id then
      ids[#ids + 1] = spec.id
      ids[#ids + 1] = string.format('s%.0f', seq)
    end
  elseif mark == 'l' or mark == 'L' then
    local number = queue.number
    local message = stored(spec, records[i], spec.id or makeId(start, number, 1))
    local due = now + spec.delayMs
    message.at = clock
    queue.number = number + 1
    queue.delayed = queue.delayed + 1
    queue.sent = queue.sent + 1
    queueChanged = true
    call('HSET', base .. 'delayed', seqText(number), cmsgpack.pack(message))
    call('ZADD', base .. 'timers', due, seqText(number))
    if not queue.timer or due < queue.timer then
      queue.timer = due
    end
    if message.expires then
      call('ZADD', base .. 'expiry', message.expires, 'd' .. seqText(number))
      reapAt(message.expires)
    end
    ids[#ids + 1] = message.id
    ids[#ids + 1] = string.format('t%.0f', number)
  end
end
for from = 1, #ids, 1000 do
  call('HSET', base .. 'ids', unpack(ids, from, math.min(#ids, from + 999)))
end
queue.sent = queue.sent + #messages
addMessages(messages, clock, start)
finish(true)
return { table.concat(marks), firstSeq, firstNumber }
