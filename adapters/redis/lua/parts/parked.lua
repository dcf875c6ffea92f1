-- How messages get parked, and go on. Most queues have none: see scripts/lua.mjs. Whoever calls these has looked at
-- the numbers of the group. A key is always that of its lane, see `domainOf`.
local function isHead(group, key, seq)
  return call('HGET', keyOf(group, 'heads'), key) == seqText(seq)
end

-- Has a message of `held` be parked.
local function putParked(group, message, side)
  local seq = message.seq
  putSide(group, seq, side)
  call('ZADD', keyOf(group, 'parked'), seq, seqText(seq))
  if message.named then
    call('ZADD', keyOf(group, 'named'), 0, chainOf(message.id) .. seqText(seq))
  end
  tally(group.row, 'parked', 1)
  group.changed = true
end

local function dropParked(group, message)
  call('ZREM', keyOf(group, 'parked'), seqText(message.seq))
  if message.named then
    call('ZREM', keyOf(group, 'named'), chainOf(message.id) .. seqText(message.seq))
  end
  tally(group.row, 'parked', -1)
  group.changed = true
end

-- Parks a message of `held`, which is the head of its key if it has one. Who comes before it goes on.
local function park(group, message, side)
  noteReap(group, message)
  putParked(group, message, side)
  local key = domainOf(message)
  if key and group.row.blocked > 0 then
    call('ZADD', keyOf(group, 'chain'), 0, chainOf(key) .. seqText(message.seq))
    free(group, key)
  end
end

-- Has what was parked, and is in its chain, be blocked.
local function putBehind(group, seq, lane)
  if lane then
    putSide(group, seq, { at = 0, blocked = true, lane = lane })
  else
    call('HDEL', keyOf(group, 'side'), seqText(seq))
  end
  group.row.blocked = group.row.blocked + 1
end

-- The seqs of the parked messages of an id, with that which the id leads to, the last first: the id may be that of a later one.
local function parkedOf(group, id, found)
  local seqs = {}
  local prefix = chainOf(id)
  for _, member in ipairs(call('ZRANGEBYLEX', keyOf(group, 'named'), '[' .. prefix, '(' .. prefix .. '\255')) do
    local seq = tonumber(string.sub(member, #prefix + 1))
    if seq ~= found then
      table.insert(seqs, 1, seq)
    end
  end
  if found then
    table.insert(seqs, 1, found)
  end
  return seqs
end

-- Has a parked message be due, but behind its key if it is not the head.
local function unpark(group, message)
  local seq, key, lane = message.seq, domainOf(message), message.lane
  dropParked(group, message)
  if key and not isHead(group, key, seq) then
    putBehind(group, seq, lane)
  else
    wait(group, seq, { at = now, attempt = 0, lane = lane })
  end
end

-- What the client makes of `behind a dead letter`, see `records.ts`.
local BEHIND = 'sbehind a dead letter'

local function parkBehind(group, message, letter)
  putParked(group, message, { attempt = 0, parked = { reason = BEHIND, at = clock, letter = letter } })
end

-- A dead letter is redriven: what it had parked goes on behind it.
local function letGo(group, message)
  local key = domainOf(message)
  local head = tonumber(call('HGET', keyOf(group, 'heads'), key))
  local seq = head and head > message.seq and head or nextInChain(group, key, message.seq)
  local side = seq and sideOf(group, seq)
  if side and side.parked and side.parked.letter == message.seq then
    dropParked(group, heldMessage(group, seq))
    putBehind(group, seq, message.lane)
    if seq == head then
      call('ZADD', keyOf(group, 'chain'), 0, chainOf(key) .. seqText(seq))
      call('HDEL', keyOf(group, 'heads'), key)
    end
  end
end

-- A message of a key dies: the next one is parked, or else the first that comes while the dead letter is kept; of several dead
-- letters, behind the first. Comes before its place is taken care of.
local function stopBehind(group, message)
  local key = domainOf(message)
  local seq = nextInChain(group, key, message.seq)
  if not seq then
    local before = group.row.stops and tonumber(call('HGET', keyOf(group, 'stops'), key))
    if not (before and before < message.seq and letterAt(group, before)) then
      tally(group.row, 'stops', call('HSET', keyOf(group, 'stops'), key, seqText(message.seq)))
    end
    return
  end
  local side = sideOf(group, seq)
  if not (side and side.parked) then
    group.row.blocked = group.row.blocked - 1
    parkBehind(group, heldMessage(group, seq), message.seq)
  end
end

-- A dead letter goes, or what it has stopped is parked.
local function endStop(group, key)
  tally(group.row, 'stops', -call('HDEL', keyOf(group, 'stops'), key))
  group.changed = true
end

-- Parks a message of the log, or of the line of its lane, that comes first behind a dead letter. Answers whether it did.
local function isStopped(group, message)
  local key, seq = domainOf(message), message.seq
  local letter = tonumber(call('HGET', keyOf(group, 'stops'), key))
  if not letter or letter > seq then
    return false
  end
  endStop(group, key)
  if not letterAt(group, letter) then
    return false
  end
  if not message.lane then
    putHeld(group, message)
    noteReap(group, message)
  end
  parkBehind(group, message, letter)
  if message.lane and isHead(group, key, seq) then
    return true
  end
  call('ZADD', keyOf(group, 'chain'), 0, chainOf(key) .. seqText(seq))
  if not isBusy(group, key) then
    free(group, key)
  end
  return true
end

-- Whether a message may go before the head of its key, which is parked.
local function precedes(group, message)
  local key = domainOf(message)
  local head = call('HGET', keyOf(group, 'heads'), key)
  local seq = head and tonumber(head)
  local side = seq and seq > message.seq and sideOf(group, seq)
  if side and side.parked then
    call('ZADD', keyOf(group, 'chain'), 0, chainOf(key) .. head)
    return true
  end
  return false
end
