-- How messages move from place to place.

-- Has a message of `held` wait.
local function wait(group, seq, side)
  putSide(group, seq, side)
  call('ZADD', keyOf(group, 'due'), side.at, seqText(seq))
  group.row.waiting = group.row.waiting + 1
  group.changed = true
end

-- The head of a key is done or dead: the next one, which is due now unless it has a time of its own, follows it.
local function free(group, key)
  if not key then
    return
  end
  local prefix = chainOf(key)
  local next = group.row.blocked > 0
    and call('ZRANGEBYLEX', keyOf(group, 'chain'), '[' .. prefix, '[' .. prefix .. '\255', 'LIMIT', 0, 1)[1]
  if not next then
    call('HDEL', keyOf(group, 'heads'), key)
    return
  end
  call('ZREM', keyOf(group, 'chain'), next)
  group.row.blocked = group.row.blocked - 1
  local seq = tonumber(string.sub(next, #prefix + 1))
  call('HSET', keyOf(group, 'heads'), key, seqText(seq))
  local side = sideOf(group, seq)
  wait(group, seq, { at = math.max(now, side and side.at or 0), attempt = 0 })
end

-- Parks a message behind its key. `at`: its own time.
local function park(group, message, at)
  putHeld(group, message)
  call('ZADD', keyOf(group, 'chain'), 0, chainOf(message.key) .. seqText(message.seq))
  if at then
    putSide(group, message.seq, { at = at, parked = true })
  end
  group.row.blocked = group.row.blocked + 1
  group.changed = true
end

local function isBusy(group, key)
  return call('HEXISTS', keyOf(group, 'heads'), key) == 1
end

-- Has a message that is not in the log wait for its time, but behind its key if that is busy.
local function enter(group, message, at)
  if message.key and isBusy(group, message.key) then
    park(group, message, at)
    return
  end
  if message.key then
    call('HSET', keyOf(group, 'heads'), message.key, seqText(message.seq))
  end
  putHeld(group, message)
  wait(group, message.seq, { at = at, attempt = 0 })
end

-- Takes a message out of its place: it is dead or cancelled here.
local function remove(group, place, seq, key)
  local row, kind = group.row, place.kind
  group.changed = true
  if kind == 'ahead' then
    row.skipped = row.skipped + 1
    return
  end
  if kind == 'leased' then
    cutLease(group, place.lease, seq, seq)
    free(group, place.lease.key)
    return
  end
  dropHeld(group, seq)
  if kind == 'parked' then
    call('ZREM', keyOf(group, 'chain'), chainOf(key) .. seqText(seq))
    row.blocked = row.blocked - 1
    return
  end
  if kind == 'held' then
    call('ZREM', keyOf(group, 'ends'), seqText(seq))
    row.leased = row.leased - 1
  else
    call('ZREM', keyOf(group, 'due'), seqText(seq))
    row.waiting = row.waiting - 1
  end
  free(group, key)
end

-- Messages with a row in `ids` that a group has finished. What becomes of their ids is decided at the end of the verb.
local finished = {}

local function done(group, message)
  if message.named then
    finished[#finished + 1] = message
  end
end

-- An id is free once no group has its message any more, or known for a while after that. `asking`: also a group that is
-- alone has to be asked.
local function forgetIds(asking)
  if #finished == 0 then
    return
  end
  local others = (asking or queue.groups > 1) and allGroups()
  for from = 1, #finished, 1000 do
    local ids, free = {}, {}
    for i = from, math.min(#finished, from + 999) do
      ids[#ids + 1] = finished[i].id
    end
    local rows = call('HMGET', base .. 'ids', unpack(ids))
    for i = 1, #ids do
      local message = finished[from + i - 1]
      local isDone = rows[i] == string.format('s%.0f', message.seq)
      if isDone and others then
        for _, group in pairs(others) do
          isDone = isDone and not locate(group, message.seq)
        end
      end
      if isDone then
        free[#free + 1] = message.id
        if message.named > 0 then
          call('ZADD', base .. 'past', now + message.named, message.id)
          reapAt(now + message.named)
        end
      end
    end
    if #free > 0 then
      call('HDEL', base .. 'ids', unpack(free))
    end
  end
  finished = {}
end

-- Keeps a message as a dead letter, in the sorted set `dead:<group>` by seq. Its place must be taken care of.
local function bury(group, message, attempt, reason, reported)
  local row = group.row
  local letter = { message = message, attempt = attempt, reason = reason, error = reported, at = clock, fence = row.lease }
  row.lease = row.lease + 1
  call('ZADD', keyOf(group, 'dead'), message.seq, cmsgpack.pack(letter))
  row.dead = row.dead + 1
  row.failed = row.failed + 1
  group.changed = true
  done(group, message)
end
