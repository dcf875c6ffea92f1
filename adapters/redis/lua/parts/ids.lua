-- What is known of ids.
--
-- The hash `ids`: where a message is whose id cannot be worked out: `s` and its seq, or `t` and its number. Where an id is
-- to be known for some time after the message, `+` and that time follow, and `+` and the longest that earlier messages of the
-- id have asked for.
-- The sorted set `past`: ids of messages that are done, by until when they are still known.
local function idRow(kind, number, own, earlier)
  if own > 0 or earlier > 0 then
    return string.format('%s%.0f+%.0f+%.0f', kind, number, own, earlier)
  end
  return string.format('%s%.0f', kind, number)
end

-- Where a row says that the message is, and how long the id is to be known after it, and after earlier ones.
local function readId(row)
  local kind, number, own, earlier = string.match(row, '^([st])(%d+)%+?(%d*)%+?(%d*)$')
  if not kind then
    corrupt('an id')
  end
  local found = kind == 's' and { seq = tonumber(number) } or { number = tonumber(number) }
  return found, tonumber(own) or 0, tonumber(earlier) or 0
end

local function remember(id, time)
  if time > now then
    call('ZADD', base .. 'past', 'GT', time, id)
    reapAt(time)
  end
end

-- Whether a group has still to do with a message of the log, or none exists and the log has it.
local function isRetained(seq)
  if queue.groups == 0 then
    return (queue.early and earlyMessage(seq) or isPending(seq)) and true
  end
  for _, group in pairs(allGroups()) do
    if locate(group, seq) then
      return true
    end
  end
  return false
end

-- An id is free once no group has its message any more, or known for a while after that.
local function forgetIds()
  for from = 1, #finished, 1000 do
    local ids, over = {}, {}
    for i = from, math.min(#finished, from + 999) do
      ids[#ids + 1] = finished[i].id
    end
    local rows = call('HMGET', base .. 'ids', unpack(ids))
    for i = 1, #ids do
      local message = finished[from + i - 1]
      if queue.groups == 1 or not isRetained(message.seq) then
        if message.named > 0 then
          remember(message.id, now + message.named)
        end
        -- A later message may have the id by now.
        if rows[i] and readId(rows[i]).seq == message.seq then
          over[#over + 1] = message.id
        end
      end
    end
    if #over > 0 then
      call('HDEL', base .. 'ids', unpack(over))
    end
  end
  finished = {}
end

-- Rows of `ids` that one verb looks at after many messages have ended together.
local IDS_AT_ONCE = 500

-- Looks at some ids, and forgets those whose messages ended together with others.
local function cleanIds(count)
  local reply = call('HSCAN', base .. 'ids', queue.scan, 'COUNT', count)
  local over = {}
  for i = 1, #reply[2], 2 do
    local id, row = reply[2][i], reply[2][i + 1]
    local isReadable, found, own, earlier = pcall(readId, row)
    if not isReadable then
      found, own, earlier = {}, 0, 0
    end
    local retained = found.seq and isRetained(found.seq)
      or found.number and call('HEXISTS', base .. 'delayed', seqText(found.number)) == 1
    if not retained then
      over[#over + 1] = id
      earlier = math.max(own, earlier)
    end
    -- Whether an earlier message of an id that goes on has ended with them is not known.
    if earlier > 0 then
      remember(id, queue.cut + earlier)
    end
  end
  for from = 1, #over, 1000 do
    call('HDEL', base .. 'ids', unpack(over, from, math.min(#over, from + 999)))
  end
  queue.scan = reply[1] ~= '0' and reply[1] or nil
  queue.cut = queue.scan and queue.cut
  queueChanged = true
end

-- Many messages have ended: their ids are found step by step.
local function cutIds()
  if call('EXISTS', base .. 'ids') == 1 then
    queue.cut = now
    queue.scan = '0'
    queueChanged = true
  end
end

-- Goes on with what earlier verbs have left.
local function tidy()
  if queue.untidy then
    queue.untidy = nil
    queueChanged = true
    local first = firstSegment()
    trimBelow(queue.groups > 0 and lowestFloor() or first and first.first or queue.tail)
  end
  if queue.scan then
    cleanIds(IDS_AT_ONCE)
  end
end
