-- Where messages of a group are that have left the log behind. Keys end with the token of the group.
--
-- The sorted set `held:<group>`: these messages, by seq.
-- The hash `side:<group>`: by seq, how each of them stands:
--   lease, at     leased until then          at   waits until then          both with attempt and error
--   blocked, at    behind its key, and not to be delivered before then; blocked messages without a time have no row
--   parked, attempt   parked: the reason, data and when
-- In lanes, see lanes.lua: with the `lane`, but for what is parked; those that are blocked always have a row, those in `line` have
-- none.
-- The sorted set `due:<group>`: those that wait, by when they are due.
-- The sorted set `parked:<group>`: those that are parked, by seq. The sorted set `named:<group>`: the ids that their senders chose,
--   and seqs, in lexicographic order, since later messages may have these ids.
-- The sorted set `reap:<group>`: those that wait, are blocked or parked and expire, by when.
-- The hash `heads:<group>`: of each ordering key that is not free, the seq of the message that is leased, waits or is parked.
-- The sorted set `chain:<group>`: ordering keys and seqs of blocked messages, in lexicographic order, and of parked ones that
--   are no heads.
-- The hash `stops:<group>`: ordering keys of which the first message to come behind a dead letter is to be parked, and the seq
--   of that.
-- The sorted set `handed:<group>`: messages that others finished before this group took them over; see join.lua.
local function sideOf(group, seq)
  local row = call('HGET', keyOf(group, 'side'), seqText(seq))
  return row and cmsgpack.unpack(row)
end

local function putSide(group, seq, side)
  call('HSET', keyOf(group, 'side'), seqText(seq), cmsgpack.pack(side))
end

local function messageBy(key, seq)
  local row = call('ZRANGEBYSCORE', key, seq, seq)[1]
  return row and cmsgpack.unpack(row)
end

local function heldMessage(group, seq)
  return messageBy(keyOf(group, 'held'), seq)
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
  group.row.outside = group.row.outside + #message.record
  group.changed = true
  if message.lane then
    local flow = changeFlow(group, message.lane)
    flow.size = flow.size + 1
  end
end

-- Whether groups that join take over what others are done with, as is right unless it is taken from all.
local handing = true

-- Whether a message is none that a group has to take over: it was redriven elsewhere after the group had started.
local function isSkipped(join, message)
  return message.redriven and message.redriven > join.redrives
end

-- Whether a group that joins has yet to come to a seq. Those of lanes come last.
local function awaits(join, seq)
  return seq > join.from and seq < join.bound or join.lanes and seq >= LANE_BASE and seq < join.lanes
end

-- Groups that have yet to take this one over get it, although another is done with it.
local function handOver(group, message)
  for _, other in pairs(allGroups()) do
    local join = other.row.join
    if join and other ~= group and awaits(join, message.seq) and not isSkipped(join, message) then
      local key = keyOf(other, 'handed')
      if call('ZCOUNT', key, message.seq, message.seq) == 0 then
        call('ZADD', key, message.seq, cmsgpack.pack(message))
      end
    end
  end
end

local function dropHeld(group, message)
  if queue.joining > 0 and handing then
    handOver(group, message)
  end
  local seq = message.seq
  call('ZREMRANGEBYSCORE', keyOf(group, 'held'), seq, seq)
  call('HDEL', keyOf(group, 'side'), seqText(seq))
  if message.expires then
    call('ZREM', keyOf(group, 'reap'), seqText(seq))
  end
  group.row.outside = group.row.outside - #message.record
  group.changed = true
  if message.lane then
    local flow = changeFlow(group, message.lane)
    flow.size = flow.size - 1
  end
end

-- Whether what a key has is for a group that joins. Of what only other groups that join had yet to take over, it gets what these
-- were to get.
local function isForJoin(join, key, message)
  if isSkipped(join, message) then
    return false
  end
  local parts = join.parts and join.parts[key]
  for _, part in ipairs(parts or {}) do
    if message.seq > part.from and message.seq < part.to and not isSkipped(part, message) then
      return true
    end
  end
  return not parts
end

-- The key with a message that a group has yet to take over.
local function unjoinedAt(group, seq)
  local join = group.row.join
  if join and awaits(join, seq) then
    for _, key in ipairs(join.keys) do
      local message = messageBy(base .. key, seq)
      if message and isForJoin(join, key, message) then
        return base .. key
      end
    end
  end
end

-- A dead letter that one group redrives is none that groups have to take over which have started meanwhile; those that get the message of
-- another group get it as it is there, with its time.
local function skipJoining(message)
  message.redriven = nil
  if queue.joining > 0 then
    tally(queue, 'redrives', 1)
    message.redriven = queue.redrives
    queueChanged = true
  end
end

local function placeIn(side)
  return { kind = side.parked and 'parked' or side.blocked and 'blocked' or side.lease and 'held' or 'waiting', side = side }
end

-- Where a message is in a group that is not done with it:
-- { kind = 'ahead' | 'leased' | 'held' | 'waiting' | 'blocked' | 'parked' | 'unjoined' | 'lined' }; the last is in the line of its
-- lane.
local function locate(group, seq)
  local row = group.row
  if seq >= LANE_BASE then
    local side = row.lanes and row.lanes.flows > 0 and sideOf(group, seq)
    if side then
      return placeIn(side)
    end
    if row.lanes and call('ZCOUNT', keyOf(group, 'held'), seq, seq) > 0 then
      return { kind = 'lined' }
    end
    local key = unjoinedAt(group, seq)
    return key and { kind = 'unjoined', key = key } or nil
  end
  if row.leased + row.waiting + row.blocked + (row.parked or 0) > 0 then
    local side = sideOf(group, seq)
    if side then
      return placeIn(side)
    end
    if row.blocked > 0 and call('ZCOUNT', keyOf(group, 'held'), seq, seq) > 0 then
      return { kind = 'blocked' }
    end
    local lease = row.leased > row.out and leaseAt(group, seq)
    if lease then
      return { kind = 'leased', lease = lease }
    end
  end
  -- One that expired before the cursor came, and was redriven, is elsewhere.
  if seq >= row.cursor and not isGone(seq) then
    return { kind = 'ahead' }
  end
  local key = unjoinedAt(group, seq)
  if key then
    return { kind = 'unjoined', key = key }
  end
end

local function messageIn(group, place, seq)
  if place.kind == 'ahead' or place.kind == 'leased' then
    return logMessage(seq)
  end
  return messageBy(place.key or keyOf(group, 'held'), seq)
end

-- What all members of a key start with, in a sorted set in lexicographic order. The length keeps keys apart that start
-- with each other.
local function chainOf(key)
  return struct.pack('>I2', #key) .. key
end
