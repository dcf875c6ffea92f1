-- Puts messages into the log and among the timers.
--
-- The sorted set `timers`: numbers of delayed messages by when they are due; the hash `delayed` has the messages. The sorted
-- set `lapse`: numbers of those that expire, by when.
local SEGMENT_MESSAGES = 256
local SEGMENT_BYTES = 64 * 1024

-- Notes when something of a segment expires.
local function noteExpiry(last, time)
  local member = seqText(last)
  if call('ZADD', base .. 'expiry', 'LT', time, member) == 1 then
    call('ZADD', base .. 'reaps', last, member)
    queue.reaps = queue.reaps + 1
    queueChanged = true
  end
  reapAt(time)
end

-- Puts one segment at the end of the log.
local function addSegment(count, blob, columns, at, start)
  local tail = queue.tail
  local last = tail + count - 1
  local head = cmsgpack.pack({ tail, at, queue.bytes, start })
  local id = string.format('%.0f-0', last)
  if columns then
    call('XADD', base .. 'log', id, 'h', head, 'b', blob, 'c', cmsgpack.pack(columns))
    if columns.expires then
      local first
      for _, time in pairs(columns.expires) do
        first = first and math.min(first, time) or time
      end
      noteExpiry(last, first)
    end
  else
    call('XADD', base .. 'log', id, 'h', head, 'b', blob)
  end
  queue.tail = tail + count
  queue.bytes = queue.bytes + #blob - 4 * count
  queueChanged = true
end

local COLUMNS = { 'id', 'key', 'expires', 'max', 'named', 'at', 'keep', 'since' }

-- The columns of some messages; `at` and `id` of those that cannot do without.
local function columnsOf(messages, first, last)
  local columns
  for _, column in ipairs(COLUMNS) do
    for i = first, last do
      local value = messages[i][column]
      if value ~= nil then
        columns = columns or {}
        columns[column] = columns[column] or {}
        columns[column][i - first + 1] = value
      end
    end
  end
  return columns
end

-- Cuts messages into segments. The log takes their records as they are.
local function addMessages(messages, at, start)
  local from = 1
  while from <= #messages do
    local ends, records, size, to = {}, {}, 0, from
    while to <= #messages and to - from < SEGMENT_MESSAGES do
      local record = messages[to].record
      if to > from and size + #record > SEGMENT_BYTES then
        break
      end
      size = size + #record
      ends[#ends + 1] = struct.pack('<I4', size)
      records[#records + 1] = record
      to = to + 1
    end
    addSegment(to - from, table.concat(ends) .. table.concat(records), columnsOf(messages, from, to - 1), at, start)
    from = to
  end
end

local function isOverdue()
  return queue.timer and queue.timer <= now
end

-- Whether a delayed message was due before a group started that begins at the latest.
local function isSince(group, at, number)
  local since = group.row.since
  return since and at <= since.at and number < since.number
end

-- Groups that started at the latest while much was overdue do not get that: it came before them. `laned`: which of it is not of
-- the log.
local function passSince(tail, due, laned)
  for _, group in pairs(allGroups()) do
    local row = group.row
    local since = row.since
    if since then
      local passed, looked = 0, 0
      while 2 * looked < #due and isSince(group, tonumber(due[2 * looked + 2]), tonumber(due[2 * looked + 1])) do
        looked = looked + 1
        passed = passed + (laned[looked] and 0 or 1)
      end
      if row.cursor == tail then
        row.cursor = tail + passed
      end
      if 2 * looked < #due or not queue.timer or queue.timer > since.at then
        row.since = nil
        queue.late = queue.late - 1
      end
      group.changed = true
    end
  end
end

-- Delayed messages that one verb moves, and their bytes, about. The rest is left to the next, so that none takes long.
local TIMERS_AT_ONCE = 500
local TIMER_BYTES = 8 * 1024 * 1024

-- Moves delayed messages that are due to the end of the log, with the ids they have. Answers how many.
local function sweepDelayed(most)
  if not isOverdue() then
    return 0
  end
  local due = call('ZRANGEBYSCORE', base .. 'timers', '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  local messages, names, members, size = {}, {}, {}, 0
  local lapses, laned = {}, {}
  while 2 * #messages < #due and size < TIMER_BYTES do
    -- As many as are likely to be small enough, going by those before.
    local each = #messages > 0 and math.max(1, size / #messages) or TIMER_BYTES / 16
    local to = math.min(#due / 2, #messages + math.ceil((TIMER_BYTES - size) / each))
    local wanted = {}
    for i = #messages + 1, to do
      wanted[#wanted + 1] = due[2 * i - 1]
    end
    local rows = call('HMGET', base .. 'delayed', unpack(wanted))
    for i = 1, #rows do
      local message = cmsgpack.unpack(rows[i])
      size = size + #message.record
      members[#members + 1] = wanted[i]
      names[#names + 1] = message.id
      messages[#messages + 1] = message
      laned[#messages] = message.lane ~= nil
      if message.expires then
        lapses[#lapses + 1] = wanted[i]
      end
    end
  end
  local tail = queue.tail
  if #messages > 0 then
    local rows = call('HMGET', base .. 'ids', unpack(names))
    local ids, plain, ofLanes, places = {}, {}, {}, {}
    for i = 1, #names do
      local seq
      if laned[i] then
        seq = LANE_BASE + queue.number
        queue.number = queue.number + 1
        messages[i].seq = seq
        ofLanes[#ofLanes + 1] = messages[i]
        places[#places + 1] = i
      else
        seq = tail + #plain
        plain[#plain + 1] = messages[i]
      end
      ids[2 * i - 1] = names[i]
      ids[2 * i] = string.format('s%.0f', seq) .. (rows[i] and string.match(rows[i], '%+.*$') or '')
    end
    call('HSET', base .. 'ids', unpack(ids))
    call('ZREM', base .. 'timers', unpack(members))
    call('HDEL', base .. 'delayed', unpack(members))
    if #lapses > 0 then
      call('ZREM', base .. 'lapse', unpack(lapses))
    end
    addMessages(plain, clock, '')
    if #ofLanes > 0 then
      sendToLanes(ofLanes, function(group, i)
        return not isSince(group, tonumber(due[2 * places[i]]), tonumber(due[2 * places[i] - 1]))
      end)
    end
    queue.delayed = queue.delayed - #messages
    queue.later = queue.later - size
    for i = 2 * #messages + 1, #due do
      due[i] = nil
    end
  end
  queue.timer = tonumber(call('ZRANGE', base .. 'timers', 0, 0, 'WITHSCORES')[2])
  queueChanged = true
  if queue.late > 0 then
    passSince(tail, due, laned)
  end
  return #messages
end
