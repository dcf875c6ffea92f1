-- How messages get parked, and go on. Most queues have none: see scripts/lua.mjs. Whoever calls these has looked at
-- the numbers of the group.
local function isHead(group, key, seq)
  return call('HGET', keyOf(group, 'heads'), key) == seqText(seq)
end

-- Has a message of `held` be parked.
local function putParked(group, seq, side)
  putSide(group, seq, side)
  call('ZADD', keyOf(group, 'parked'), seq, seqText(seq))
  tally(group.row, 'parked', 1)
  group.changed = true
end

local function dropParked(group, seq)
  call('ZREM', keyOf(group, 'parked'), seqText(seq))
  tally(group.row, 'parked', -1)
  group.changed = true
end

-- Parks a message of `held`, which is the head of its key if it has one. Who comes before it goes on.
local function park(group, message, side)
  noteReap(group, message)
  putParked(group, message.seq, side)
  if message.key and group.row.blocked > 0 then
    call('ZADD', keyOf(group, 'chain'), 0, chainOf(message.key) .. seqText(message.seq))
    free(group, message.key)
  end
end

-- Has a parked message be due, but behind its key if it is not the head.
local function unpark(group, message)
  local seq = message.seq
  dropParked(group, seq)
  if message.key and not isHead(group, message.key, seq) then
    call('HDEL', keyOf(group, 'side'), seqText(seq))
    group.row.blocked = group.row.blocked + 1
  else
    wait(group, seq, { at = now, attempt = 0 })
  end
end

-- What the client makes of `behind a dead letter`, see `records.ts`.
local BEHIND = 'sbehind a dead letter'

local function parkBehind(group, seq, letter)
  putParked(group, seq, { attempt = 0, parked = { reason = BEHIND, at = clock, letter = letter } })
end

-- A dead letter is redriven: what it had parked goes on behind it.
local function letGo(group, message)
  local row, key = group.row, message.key
  local head = tonumber(call('HGET', keyOf(group, 'heads'), key))
  local seq = head and head > message.seq and head or nextInChain(group, key, message.seq)
  local side = seq and sideOf(group, seq)
  if side and side.parked and side.parked.letter == message.seq then
    dropParked(group, seq)
    call('HDEL', keyOf(group, 'side'), seqText(seq))
    row.blocked = row.blocked + 1
    if seq == head then
      call('ZADD', keyOf(group, 'chain'), 0, chainOf(key) .. seqText(seq))
      call('HDEL', keyOf(group, 'heads'), key)
    end
  end
end

-- A message of a key dies: the next one is parked, or else the first that comes while the dead letter is kept; of several dead
-- letters, behind the first. Comes before its place is taken care of.
local function stopBehind(group, message)
  local key = message.key
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
    parkBehind(group, seq, message.seq)
  end
end

-- A dead letter goes, or what it has stopped is parked.
local function endStop(group, key)
  tally(group.row, 'stops', -call('HDEL', keyOf(group, 'stops'), key))
  group.changed = true
end

-- Parks a message of the log that comes first behind a dead letter. Answers whether it did.
local function isStopped(group, message)
  local key, seq = message.key, message.seq
  local letter = tonumber(call('HGET', keyOf(group, 'stops'), key))
  if not letter or letter > seq then
    return false
  end
  endStop(group, key)
  if not letterAt(group, letter) then
    return false
  end
  putHeld(group, message)
  noteReap(group, message)
  parkBehind(group, seq, letter)
  call('ZADD', keyOf(group, 'chain'), 0, chainOf(key) .. seqText(seq))
  if not isBusy(group, key) then
    free(group, key)
  end
  return true
end

-- Whether a message may go before the head of its key, which is parked.
local function precedes(group, message)
  local head = call('HGET', keyOf(group, 'heads'), message.key)
  local seq = head and tonumber(head)
  local side = seq and seq > message.seq and sideOf(group, seq)
  if side and side.parked then
    call('ZADD', keyOf(group, 'chain'), 0, chainOf(message.key) .. head)
    return true
  end
  return false
end
