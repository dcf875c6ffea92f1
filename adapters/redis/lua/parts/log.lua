-- The stream `log`: what was appended together is one entry, under the seq of its last message. `h` is its head, `b` its
-- records, and `c` has what messages have besides, by their place in the entry, where any has it:
--   id, key, expires, max (attempts), named (the `dedupeMs` of those with a row in `ids`), at (where not that of the entry),
--   keep (how long what becomes of it is kept), since (when the first was stored of those that it has replaced)
-- `b` begins with where each record ends, four bytes for each, counted from the first record. What is in a record is the
-- client's business.
--
-- The sorted sets `amend`: by seq, what messages of the log carry now that were replaced; `gone`: seqs of those that were
-- cancelled or have expired, and are to be passed over; `expiry`: by when the first of it expires, the last seqs of segments
-- that have something to expire; `reaps`: the same by seq.
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

-- A record without its body: what it is of and the headers, see `records.ts`.
local function headersOf(record)
  local kind = string.byte(record)
  if kind and kind >= 4 and #record >= 5 then
    return string.char(4) .. string.sub(record, 2, 5 + struct.unpack('<I4', record, 2))
  end
  return '\0'
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
    message.keep = columns.keep and columns.keep[i]
    message.since = columns.since and columns.since[i]
  end
  return message
end

local function amendmentOf(seq)
  if queue.amended > 0 then
    local row = call('ZRANGEBYSCORE', base .. 'amend', seq, seq)[1]
    return row and cmsgpack.unpack(row)
  end
end

-- What the messages of a stretch of the log carry instead, by seq, if there are any.
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
    local message = cmsgpack.unpack(rows[i])
    amendments[message.seq] = message
  end
  return amendments
end

local function amend(message)
  local seq = message.seq
  local replaced = queue.amended > 0 and call('ZREMRANGEBYSCORE', base .. 'amend', seq, seq) or 0
  queue.amended = queue.amended + 1 - replaced
  queueChanged = true
  call('ZADD', base .. 'amend', seq, cmsgpack.pack(message))
end

local function reapAt(time)
  if not queue.reap or time < queue.reap then
    queue.reap = time
    queueChanged = true
  end
end

local function seqText(seq)
  return string.format('%016.0f', seq)
end

local function isGone(seq)
  return queue.gone > 0 and call('ZSCORE', base .. 'gone', seqText(seq)) and true
end

-- How many messages from `seq` on will be passed over.
local function countGone(seq)
  return queue.gone > 0 and call('ZCOUNT', base .. 'gone', seq, '+inf') or 0
end

-- Which of a stretch of the log are gone, by seq, if any is. And how many.
local function goneIn(first, last)
  if queue.gone == 0 then
    return nil, 0
  end
  local members = call('ZRANGEBYSCORE', base .. 'gone', first, last)
  if #members == 0 then
    return nil, 0
  end
  local gone = {}
  for i = 1, #members do
    gone[tonumber(members[i])] = true
  end
  return gone, #members
end

local function markGone(seq)
  queue.gone = queue.gone + call('ZADD', base .. 'gone', seq, seqText(seq))
  queueChanged = true
end

-- Whether the log still holds a message, for whatever group comes.
local function isPending(seq)
  return segmentAt(seq) and not isGone(seq)
end

-- What of the log's message its id needs to be forgotten; all of it, where what becomes of it is kept.
local function identityOf(seq)
  local amendment = amendmentOf(seq)
  if amendment then
    return (amendment.named or amendment.keep) and amendment
  end
  local segment = segmentAt(seq)
  local i = seq - segment.first + 1
  local columns = segment.columns
  if columns and columns.keep and columns.keep[i] then
    return messageAt(segment, i)
  end
  local named = columns and columns.named and columns.named[i]
  return named and { seq = seq, id = columns.id[i], named = named }
end

-- What the log's message carries now, if the log still has it.
local function logMessage(seq)
  local amendment = amendmentOf(seq)
  if amendment then
    return amendment
  end
  local segment = segmentAt(seq)
  return segment and messageAt(segment, seq - segment.first + 1)
end
