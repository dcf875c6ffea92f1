-- The stream `log`: what was appended together is one entry, under the seq of its last message. `h` is its head, `b` its
-- records, and `c` has what messages have besides, by their place in the entry, where any has it:
--   id, key, expires, max (attempts), named (the `dedupeMs` of those with a row in `ids`), at (where not that of the entry)
-- `b` begins with where each record ends, four bytes for each, counted from the first record. What is in a record is the
-- client's business.
--
-- The sorted set `amend`: messages of the log that carry another message now, or are gone, by seq.
local known

local function toSegment(entry)
  local fields = entry[2]
  local head = trust(cmsgpack.unpack(fields[2]), { 1, 2, 3 })
  local segment = {
    first = head[1],
    last = tonumber(string.match(entry[1], '^%d+')),
    at = head[2],
    bytes = head[3],
    base = head[4],
    blob = fields[4],
    columns = fields[6] and cmsgpack.unpack(fields[6]),
  }
  local count = segment.last - segment.first + 1
  segment.count = count
  -- The records end where the last of them does, and so does the loop of whoever walks through them.
  local ends = 4 * count
  if count < 1 or segment.last >= queue.tail or #segment.blob ~= ends + struct.unpack('<I4', segment.blob, ends - 3) then
    corrupt('an entry of the log')
  end
  return segment
end

-- The entries from `seq` on.
local function segmentsFrom(seq, count)
  return call('XRANGE', base .. 'log', string.format('%.0f-0', seq), '+', 'COUNT', count)
end

-- The segment that holds `seq`, if the log still has it.
local function segmentAt(seq)
  if known and seq >= known.first and seq <= known.last then
    return known
  end
  local entry = segmentsFrom(seq, 1)[1]
  if entry then
    local segment = toSegment(entry)
    if segment.first <= seq then
      known = segment
      return segment
    end
  end
end

local function firstSegment()
  local entry = call('XRANGE', base .. 'log', '-', '+', 'COUNT', 1)[1]
  return entry and toSegment(entry)
end

-- Where the record before place `i` ends.
local function startOf(blob, i)
  return i == 1 and 0 or struct.unpack('<I4', blob, 4 * i - 7)
end

local function recordAt(segment, i)
  local blob, ends = segment.blob, 4 * segment.count
  return string.sub(blob, ends + startOf(blob, i) + 1, ends + startOf(blob, i + 1))
end

local function sizeOf(segment, from, to)
  return startOf(segment.blob, to + 1) - startOf(segment.blob, from)
end

-- Ids that need no index: the start of the batch's UUID, and twice the number of the message, plus one where it was delayed.
local WRAP = 2 ^ 31
local function makeId(start, number, odd)
  return start .. string.format('%08x', (number % WRAP) * 2 + odd)
end

local function idAt(segment, i)
  local ids = segment.columns and segment.columns.id
  return ids and ids[i] or makeId(segment.base, segment.first + i - 1, 0)
end

-- A message on its own, as it is kept outside the log.
local function messageAt(segment, i)
  local columns = segment.columns
  local message = {
    seq = segment.first + i - 1,
    id = idAt(segment, i),
    at = segment.at,
    record = recordAt(segment, i),
  }
  if columns then
    message.at = columns.at and columns.at[i] or segment.at
    message.key = columns.key and columns.key[i]
    message.expires = columns.expires and columns.expires[i]
    message.max = columns.max and columns.max[i]
    message.named = columns.named and columns.named[i]
  end
  return message
end

local function amendmentOf(seq)
  if queue.amended > 0 then
    local row = call('ZRANGEBYSCORE', base .. 'amend', seq, seq)[1]
    return row and cmsgpack.unpack(row)
  end
end

-- The amendments of a stretch of the log by seq, if there are any.
local function amendmentsOf(first, last)
  if queue.amended == 0 then
    return nil
  end
  local rows = call('ZRANGEBYSCORE', base .. 'amend', first, last)
  if #rows == 0 then
    return nil
  end
  local amendments = {}
  for i = 1, #rows do
    local amendment = cmsgpack.unpack(rows[i])
    amendments[amendment.seq] = amendment
  end
  return amendments
end

local function amend(seq, gone, message)
  local replaced = queue.amended > 0 and call('ZREMRANGEBYSCORE', base .. 'amend', seq, seq) or 0
  if replaced == 0 then
    queue.amended = queue.amended + 1
    queueChanged = true
  end
  call('ZADD', base .. 'amend', seq, cmsgpack.pack({ seq = seq, gone = gone, message = message }))
end

local function isGone(seq)
  local amendment = amendmentOf(seq)
  return amendment and amendment.gone or false
end

-- Whether the log still holds a message, for whatever group comes.
local function isPending(seq)
  return segmentAt(seq) and not isGone(seq)
end

-- What of the log's message its id needs to be forgotten.
local function identityOf(seq)
  if queue.amended > 0 then
    local amendment = amendmentOf(seq)
    if amendment then
      return amendment.message
    end
  end
  local segment = segmentAt(seq)
  local i = seq - segment.first + 1
  local named = segment.columns and segment.columns.named and segment.columns.named[i]
  return named and { seq = seq, id = segment.columns.id[i], named = named }
end

-- What the log's message carries now, if the log still has it.
local function logMessage(seq)
  local amendment = amendmentOf(seq)
  if amendment then
    return amendment.message
  end
  local segment = segmentAt(seq)
  return segment and messageAt(segment, seq - segment.first + 1)
end
