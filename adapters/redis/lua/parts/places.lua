-- Where messages of a group are that have left the log behind.
--
-- The sorted set `held:<group>`: these messages, by seq.
-- The hash `side:<group>`: by seq, how each of them stands:
--   lease, at     leased until then          at   waits until then          both with attempt and error
--   parked, at    behind its key, and not to be delivered before then; parked messages without a time have no row
-- The sorted set `due:<group>`: those that wait, by when they are due.
-- The hash `heads:<group>`: of each ordering key that is not free, the seq of the message that is leased or waits.
-- The sorted set `chain:<group>`: ordering keys and seqs of parked messages, in lexicographic order.
local function sideOf(group, seq)
  local row = call('HGET', keyOf(group, 'side'), seqText(seq))
  return row and cmsgpack.unpack(row)
end

local function putSide(group, seq, side)
  call('HSET', keyOf(group, 'side'), seqText(seq), cmsgpack.pack(side))
end

local function heldMessage(group, seq)
  local row = call('ZRANGEBYSCORE', keyOf(group, 'held'), seq, seq)[1]
  return row and cmsgpack.unpack(row)
end

-- What is held outside the log, and how it stands.
local function heldAt(group, seq)
  local message, side = heldMessage(group, seq), sideOf(group, seq)
  if not message or message.seq ~= seq or type(message.record) ~= 'string' or not isNumber(side and side.attempt) then
    corrupt('a message')
  end
  return message, side
end

local function putHeld(group, message)
  call('ZADD', keyOf(group, 'held'), message.seq, cmsgpack.pack(message))
end

local function dropHeld(group, seq)
  call('ZREMRANGEBYSCORE', keyOf(group, 'held'), seq, seq)
  call('HDEL', keyOf(group, 'side'), seqText(seq))
end

-- Where a message is in a group that is not done with it: { kind = 'ahead' | 'leased' | 'held' | 'waiting' | 'parked' }.
local function locate(group, seq)
  local row = group.row
  if row.leased + row.waiting + row.blocked > 0 then
    local side = sideOf(group, seq)
    if side then
      return { kind = side.parked and 'parked' or side.lease and 'held' or 'waiting', side = side }
    end
    if row.blocked > 0 and call('ZCOUNT', keyOf(group, 'held'), seq, seq) > 0 then
      return { kind = 'parked' }
    end
    local lease = row.leased > 0 and leaseAt(group, seq)
    if lease then
      return { kind = 'leased', lease = lease }
    end
  end
  -- One that expired before the cursor came, and was redriven, is elsewhere.
  if seq >= row.cursor and not isGone(seq) then
    return { kind = 'ahead' }
  end
end

local function messageIn(group, place, seq)
  if place.kind == 'ahead' or place.kind == 'leased' then
    return logMessage(seq)
  end
  return heldMessage(group, seq)
end

-- What all members of `chain` of a key start with. The length keeps keys apart that start with each other.
local function chainOf(key)
  return struct.pack('>I2', #key) .. key
end
