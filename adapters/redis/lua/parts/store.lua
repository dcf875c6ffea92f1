-- Puts messages into the log and among the timers.
--
-- The sorted set `timers`: numbers of delayed messages by when they are due; the hash `delayed` has the messages.
-- The sorted set `expiry`: by when they expire, `m` and the seq of messages, `d` and the number of delayed ones.
-- The hash `ids`: where a message is whose id cannot be worked out: `s` and its seq, or `t` and its number.
-- The sorted set `past`: ids of messages that are done, by until when they are still known.
local SEGMENT_MESSAGES = 256
local SEGMENT_BYTES = 64 * 1024

local function seqText(seq)
  return string.format('%016.0f', seq)
end

local function reapAt(time)
  if not queue.reap or time < queue.reap then
    queue.reap = time
    queueChanged = true
  end
end

local function noteExpiry(seq, expires)
  if expires then
    call('ZADD', base .. 'expiry', expires, string.format('m%.0f', seq))
    reapAt(expires)
  end
end

-- Puts one segment at the end of the log.
local function addSegment(count, blob, columns, at, start)
  local tail = queue.tail
  local head = cmsgpack.pack({ tail, at, queue.bytes, start })
  local id = string.format('%.0f-0', tail + count - 1)
  if columns then
    call('XADD', base .. 'log', id, 'h', head, 'b', blob, 'c', cmsgpack.pack(columns))
  else
    call('XADD', base .. 'log', id, 'h', head, 'b', blob)
  end
  queue.tail = tail + count
  queue.bytes = queue.bytes + #blob - 4 * count
  queueChanged = true
end

local COLUMNS = { 'id', 'key', 'expires', 'max', 'named', 'at' }

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

-- Delayed messages that one verb moves. The rest is left to the next, so that none takes long.
local TIMERS_AT_ONCE = 500

-- Moves delayed messages that are due to the end of the log, with the ids they have.
local function sweepDelayed()
  if not queue.timer or queue.timer > now then
    return
  end
  local due = call('ZRANGEBYSCORE', base .. 'timers', '-inf', now, 'LIMIT', 0, TIMERS_AT_ONCE)
  if #due > 0 then
    local rows = call('HMGET', base .. 'delayed', unpack(due))
    local messages, ids, expired = {}, {}, {}
    for i = 1, #due do
      local message = cmsgpack.unpack(rows[i])
      local seq = queue.tail + i - 1
      messages[i] = message
      ids[2 * i - 1] = message.id
      ids[2 * i] = string.format('s%.0f', seq)
      if message.expires then
        expired[#expired + 1] = 'd' .. due[i]
        noteExpiry(seq, message.expires)
      end
    end
    call('HSET', base .. 'ids', unpack(ids))
    call('ZREM', base .. 'timers', unpack(due))
    call('HDEL', base .. 'delayed', unpack(due))
    if #expired > 0 then
      call('ZREM', base .. 'expiry', unpack(expired))
    end
    addMessages(messages, clock, '')
    queue.delayed = queue.delayed - #due
  end
  queue.timer = tonumber(call('ZRANGE', base .. 'timers', 0, 0, 'WITHSCORES')[2])
  queueChanged = true
end
