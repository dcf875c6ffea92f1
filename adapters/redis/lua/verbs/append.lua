-- append: number and clock, the start of ids, what messages have besides bodies as JSON or '', the most messages and bytes to retain or
-- '', groups to make, then for each segment its number of messages and its records.
-- Answers with a letter for each message, the seq that the first one got, and the number that the first delayed one got:
-- `s` stored, `l` stored for later, `d` duplicate, `r` replaced, `S` and `L` replaced by a new one; all are stored without
-- any letter. Or, where that would be too much, with nothing stored: `q`, and what is retained and wanted.
--@flags
--@include rows log store
local start, more, mostMessages, mostBytes = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local at = 7
if ARGV[6] == '0' then
  open()
  if more == '' and not queue.scan and not queue.untidy and not mostMessages and not mostBytes and not (queue.laned and isOverdue()) then
    sweepDelayed(TIMERS_AT_ONCE)
    -- What is overdue comes first.
    if not isOverdue() then
      local firstSeq = queue.tail
      for i = at, #ARGV, 2 do
        local count = tonumber(ARGV[i])
        queue.sent = queue.sent + count
        addSegment(count, ARGV[i + 1], nil, clock, start)
      end
      finish(true)
      return { '', firstSeq, queue.number }
    end
  end
end

--@include leases places moves ids find drop group counts
--@lazily parked outcomes lanes holds
if ARGV[6] ~= '0' then
  local _
  _, at = openGroups(6)
end

local function stored(spec, record, id)
  return {
    id = id,
    key = spec.key,
    lane = spec.lane,
    expires = spec.expiresInMs and now + spec.expiresInMs,
    max = spec.maxAttempts,
    named = id and (spec.dedupeMs or 0),
    keep = spec.keepMs,
    record = record,
  }
end

-- When the first was stored of those that a message has replaced, on the queue's own time. Where the clock was set back since: now.
local function sinceOf(old)
  return old.since or math.min(now, old.at + queue.skew)
end

-- How long a replacement is put off: no further than it says, counted from when the first of those was stored that it replaces.
local function delayOf(spec, old)
  local delay = spec.delayMs or 0
  if spec.maxDelayMs and delay > 0 then
    delay = math.max(0, math.min(delay, spec.maxDelayMs, sinceOf(old) + spec.maxDelayMs - now))
  end
  return delay
end

-- Has a delayed message that is due carry another one. It keeps its place.
local function replaceDelayed(message, number)
  local member, old = seqText(number), delayedMessage(number)
  queue.later = queue.later + #message.record - #old.record
  queueChanged = true
  call('HSET', base .. 'delayed', member, cmsgpack.pack(message))
  call('ZREM', base .. 'lapse', member)
  if message.expires then
    call('ZADD', base .. 'lapse', message.expires, member)
  end
  call('HSET', base .. 'ids', message.id, idRow('t', number, message.named))
end

-- Has the message of an id carry another one, from its first attempt on, in every group.
local function replace(message, seq)
  local places = {}
  for _, group in pairs(allGroups()) do
    places[group] = locate(group, seq)
  end
  message.seq = seq
  local segment = segmentAt(seq)
  if segment then
    amend(message)
    if message.expires then
      noteExpiry(segment.last, message.expires)
    end
  end
  local function put(key)
    call('ZREMRANGEBYSCORE', key, seq, seq)
    call('ZADD', key, seq, cmsgpack.pack(message))
  end
  for group, place in pairs(places) do
    if place.kind == 'waiting' or place.kind == 'blocked' or place.kind == 'parked' or place.kind == 'lined' then
      local old = heldMessage(group, seq)
      group.row.outside = group.row.outside + #message.record - #old.record
      group.changed = true
      put(keyOf(group, 'held'))
      call('ZREM', keyOf(group, 'reap'), seqText(seq))
      noteReap(group, message)
      if place.kind == 'waiting' then
        putSide(group, seq, { at = place.side.at, attempt = 0, lane = place.side.lane })
      elseif place.kind == 'parked' then
        unpark(group, message)
      end
    elseif place.kind == 'unjoined' then
      for _, key in ipairs(group.row.join.keys) do
        if call('ZCOUNT', base .. key, seq, seq) > 0 then
          put(base .. key)
        end
      end
    end
  end
  local early = queue.early and earlyMessage(seq)
  if early then
    dropEarly(early)
    sendToLanes({ message })
  end
  call('HSET', base .. 'ids', message.id, idRow('s', seq, message.named))
end

-- Another message is stored under the id of one that is under way, which the storage made: what that ends with does not count. The
-- rows of other ids tell, as long as it matters.
local function forsake(seq)
  local present = logMessage(seq)
  if present and present.keep then
    present.keep = nil
    amend(present)
    if present.expires then
      noteExpiry(segmentAt(seq).last, present.expires)
    end
  end
  for _, group in pairs(allGroups()) do
    if group.row.running then
      dropProgress(group, seq)
    end
    local key = unjoinedAt(group, seq) or keyOf(group, 'held')
    local message = messageBy(key, seq)
    if message and message.keep then
      message.keep = nil
      call('ZREMRANGEBYSCORE', key, seq, seq)
      call('ZADD', key, seq, cmsgpack.pack(message))
    end
  end
end

-- Key and lane decide where a message lies.
local function isElsewhere(message, spec)
  return message.key ~= spec.key or message.lane ~= spec.lane
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

-- Decides what becomes of a message whose id may be known: `s`, `d`, `r`, or `S` where the one there is to be dropped. And
-- which earlier one keeps the id, and how long, or until when; or how long a replacement is put off, and `since` when.
local function meet(spec)
  local id = spec.id
  local row = rowOf[id]
  local found, own = nil, 0
  if row then
    found, own = readId(row)
  else
    found = findMade(id)
  end
  local past = not spec.replace and pastOf[id] and pastOf[id] > now
  if found and found.number then
    local member = seqText(found.number)
    local due = tonumber(call('ZSCORE', base .. 'timers', member))
    if due then
      if not spec.replace then
        return 'd'
      end
      local old = delayedMessage(found.number)
      local delay = delayOf(spec, old)
      -- The new one brings its own delay, but what is due has its place.
      local moves = due > now or delay > 0 or isElsewhere(old, spec)
      return moves and 'S' or 'r', { delay = delay, since = sinceOf(old) }
    end
  elseif found then
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
      retained = queue.early and earlyMessage(seq) or isPending(seq)
    end
    if retained then
      if not spec.replace then
        return 'd'
      end
      if not all then
        return 's', { old = seq, own = own }
      end
      local present = queue.early and earlyMessage(seq) or logMessage(seq)
      for group, place in pairs(places) do
        if place.kind ~= 'ahead' then
          present = messageIn(group, place, seq)
        end
      end
      local delay = delayOf(spec, present)
      local moves = delay > 0 or isElsewhere(present, spec)
      return moves and 'S' or 'r', { delay = delay, since = sinceOf(present) }
    end
  end
  if row then
    -- It has ended together with others, and nobody has looked at its id since.
    local time = (queue.cut or now) + own
    if time > now then
      return not spec.replace and 'd' or 's', { time = time }
    end
  end
  return past and 'd' or 's'
end

local specs = more ~= '' and cjson.decode(more)
local records, marks, known, met = {}, {}, {}, {}
for i = at, #ARGV, 2 do
  local segment = { count = tonumber(ARGV[i]), blob = ARGV[i + 1] }
  for place = 1, segment.count do
    records[#records + 1] = recordAt(segment, place)
  end
end
local named = {}
for _, spec in ipairs(specs or {}) do
  if spec ~= 0 and spec.id then
    named[#named + 1] = spec.id
  end
end
lookUp(named)
local messages, bytes = 0, 0
for i = 1, #records do
  local spec = specs and specs[i] or 0
  local mark = 's'
  if spec ~= 0 and spec.id then
    if met[spec.id] then
      mark = 'd'
    else
      mark, known[i] = meet(spec)
    end
    met[spec.id] = true
  end
  if mark == 's' then
    messages = messages + 1
    bytes = bytes + #records[i]
  end
  marks[i] = mark
end
if (mostMessages or mostBytes) and messages > 0 then
  local there, size = countRetained(mostMessages and mostMessages - messages), bytesRetained()
  if mostMessages and there + messages > mostMessages then
    return { 'q', 'maxMessages', there, messages }
  end
  if mostBytes and size + bytes > mostBytes then
    return { 'q', 'maxBytes', size, bytes }
  end
end

tidy()
-- So that there are fewer in the end than before.
sweepDelayed(math.min(4 * TIMERS_AT_ONCE, TIMERS_AT_ONCE + #records))
-- What is overdue comes first, so that what comes now waits behind it.
local isBehind = isOverdue()
local firstSeq, firstNumber = queue.tail, queue.number
local added, ids, names, rows, timers, lapses, laned = {}, {}, {}, {}, {}, {}, {}
for i = 1, #records do
  local spec = specs and specs[i] or 0
  local mark, about = marks[i], known[i] or {}
  if spec == 0 and not isBehind then
    added[#added + 1] = { record = records[i] }
  elseif mark == 's' or mark == 'S' then
    if spec == 0 then
      spec = {}
    end
    if about.old then
      noteOld(about.old, spec.id, about.own)
      if not rowOf[spec.id] then
        forsake(about.old)
      end
    end
    if about.time then
      remember(spec.id, about.time)
    end
    if mark == 'S' then
      -- It may have become due since it was met.
      drop(spec.id, find(spec.id))
    end
    if spec.id then
      names[#names + 1] = spec.id
    end
    local message = stored(spec, records[i], spec.id)
    queue.laned = queue.laned or message.lane ~= nil or nil
    local delay = about.delay or spec.delayMs or 0
    message.since = about.since
    if delay > 0 or isBehind then
      local number = queue.number
      local member = seqText(number)
      local due = now + delay
      if delay == 0 then
        due = math.max(now, queue.behind or 0)
        queue.behind = due
      end
      message.at = clock
      if not message.id then
        message.id, message.named = makeId(start, number, 1), 0
      else
        ids[#ids + 1] = message.id
        ids[#ids + 1] = idRow('t', number, message.named)
      end
      rows[#rows + 1] = member
      rows[#rows + 1] = cmsgpack.pack(message)
      timers[#timers + 1] = due
      timers[#timers + 1] = member
      if not queue.timer or due < queue.timer then
        queue.timer = due
      end
      if message.expires then
        lapses[#lapses + 1] = message.expires
        lapses[#lapses + 1] = member
      end
      queue.number = number + 1
      queue.delayed = queue.delayed + 1
      queue.later = queue.later + #message.record
      queue.sent = queue.sent + 1
      marks[i] = mark == 's' and 'l' or 'L'
    elseif spec.lane then
      -- Its number is one of those of delayed messages, which have no places in the log either.
      local number = queue.number
      message.seq, message.at = LANE_BASE + number, clock
      if not message.id then
        message.id = makeId(start, number, 1)
      else
        ids[#ids + 1] = message.id
        ids[#ids + 1] = idRow('s', message.seq, message.named)
      end
      laned[#laned + 1] = message
      queue.number = number + 1
      queue.sent = queue.sent + 1
      marks[i] = mark == 's' and 'l' or 'L'
    else
      added[#added + 1] = message
      if spec.id then
        ids[#ids + 1] = spec.id
        ids[#ids + 1] = idRow('s', queue.tail + #added - 1, message.named)
      end
    end
  elseif mark == 'r' then
    local message = stored(spec, records[i], spec.id)
    local found = find(spec.id)
    message.at, message.since = clock, about.since
    if found.number then
      replaceDelayed(message, found.number)
    else
      replace(message, found.seq)
    end
  end
end

local function putAll(command, kind, arguments)
  for from = 1, #arguments, 1000 do
    call(command, base .. kind, unpack(arguments, from, math.min(#arguments, from + 999)))
  end
end

putAll('HSET', 'ids', ids)
putAll('HSET', 'delayed', rows)
putAll('ZADD', 'timers', timers)
putAll('ZADD', 'lapse', lapses)
if queue.kept or queue.keepers then
  forgetOutcomes(names)
end
queue.sent = queue.sent + #added
queueChanged = true
addMessages(added, clock, start)
if #laned > 0 then
  sendToLanes(laned)
end
finish(true)
return { table.concat(marks), firstSeq, firstNumber }
