-- What is known of ids.
--
-- The hash `ids`: where the last message of an id is that cannot be worked out: `s` and its seq, or `t` and its number. Where an id
-- is to be known for some time after the message, `+` and that time follow.
-- The hash `olds`: the same of earlier messages that are under way and asked for that, by seq, with `+` and the id behind it.
-- The sorted set `past`: ids of messages that are done, by until when they are still known.
local function idRow(kind, number, own)
  return string.format(own > 0 and '%s%.0f+%.0f' or '%s%.0f', kind, number, own)
end

-- Where a row says that the message is, how long the id is to be known after it, and the id, if that is not its field.
local function readId(row)
  local kind, number, own, id = string.match(row, '^([st])(%d+)%+?(%d*)%+?(.*)$')
  if not kind then
    corrupt('an id')
  end
  local found = kind == 's' and { seq = tonumber(number) } or { number = tonumber(number) }
  return found, tonumber(own) or 0, id
end

-- A message that is under way is an earlier one of its id.
local function noteOld(seq, id, own)
  if own > 0 then
    call('HSET', base .. 'olds', seqText(seq), idRow('s', seq, own) .. '+' .. id)
  end
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
        remember(message.id, now + message.named)
        -- A later message may have the id by now.
        if rows[i] and readId(rows[i]).seq == message.seq then
          over[#over + 1] = message.id
        else
          call('HDEL', base .. 'olds', seqText(message.seq))
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
  local rows = base .. (queue.olds and 'olds' or 'ids')
  local reply = call('HSCAN', rows, queue.scan, 'COUNT', count)
  local over = {}
  for i = 1, #reply[2], 2 do
    local field = reply[2][i]
    local isReadable, found, own, id = pcall(readId, reply[2][i + 1])
    if not isReadable then
      found, own = {}, 0
    end
    local retained = found.seq and isRetained(found.seq)
      or found.number and call('HEXISTS', base .. 'delayed', seqText(found.number)) == 1
    if not retained then
      over[#over + 1] = field
      remember(id ~= '' and id or field, queue.cut + own)
    end
  end
  for from = 1, #over, 1000 do
    call('HDEL', rows, unpack(over, from, math.min(#over, from + 999)))
  end
  queue.scan = reply[1]
  if reply[1] == '0' then
    queue.scan = queue.olds and '0'
    queue.olds = nil
  end
  queue.cut = queue.scan and queue.cut
  queueChanged = true
end

-- Many messages have ended: their ids are found step by step, first those that lead to later ones.
local function cutIds()
  queue.olds = call('EXISTS', base .. 'olds') == 1 or nil
  if queue.olds or call('EXISTS', base .. 'ids') == 1 then
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
