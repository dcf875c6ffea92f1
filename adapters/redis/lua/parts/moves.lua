-- How messages move from place to place.

-- A key belongs to its lane. No key has this byte.
local function domainOf(message)
  local key, lane = message.key, message.lane
  return key and lane and '\255' .. struct.pack('>I2', #lane) .. lane .. key or key
end

-- Has a message of `held` wait.
local function wait(group, seq, side)
  putSide(group, seq, side)
  if side.lane then
    waitInLane(group, seq, side)
  else
    call('ZADD', keyOf(group, 'due'), side.at, seqText(seq))
  end
  group.row.waiting = group.row.waiting + 1
  group.changed = true
end

-- The end of a wait that `wait` began.
local function endWait(group, seq, side)
  if side.lane then
    endWaitInLane(group, seq, side)
  else
    call('ZREM', keyOf(group, 'due'), seqText(seq))
  end
  group.row.waiting = group.row.waiting - 1
end

-- The end of a lease on a message outside the log.
local function endLease(group, seq, side)
  if side.lane then
    endLeaseInLane(group, seq, side)
  else
    call('ZREM', keyOf(group, 'ends'), seqText(seq))
  end
  group.row.leased = group.row.leased - 1
  group.row.out = group.row.out - 1
end

-- Notes that what waits may expire.
local function noteReap(group, message)
  if message.expires then
    call('ZADD', keyOf(group, 'reap'), message.expires, seqText(message.seq))
    reapAt(message.expires)
  end
end

-- The first message of a key's chain behind a seq, and its member.
local function nextInChain(group, key, seq)
  local row, prefix = group.row, chainOf(key)
  local member = row.blocked + (row.parked or 0) > 0
    and call('ZRANGEBYLEX', keyOf(group, 'chain'), '(' .. prefix .. seqText(seq), '[' .. prefix .. '\255', 'LIMIT', 0, 1)[1]
  if member then
    return tonumber(string.sub(member, #prefix + 1)), member
  end
end

-- The head of a key is done or dead: the next one, which is due now unless it has a time of its own or is parked, follows it.
local function free(group, key)
  if not key then
    return
  end
  local seq, member = nextInChain(group, key, 0)
  if not seq then
    call('HDEL', keyOf(group, 'heads'), key)
    return
  end
  call('ZREM', keyOf(group, 'chain'), member)
  call('HSET', keyOf(group, 'heads'), key, seqText(seq))
  local side = sideOf(group, seq)
  if side and side.parked then
    return
  end
  group.row.blocked = group.row.blocked - 1
  if side and side.lane and side.at == 0 then
    -- It was not delivered: it goes back to where it was in its lane.
    returnToLine(group, seq, side.lane)
    return
  end
  wait(group, seq, { at = math.max(now, side and side.at or 0), attempt = 0, lane = side and side.lane })
end

-- Blocks a message behind its key. `at`: its own time.
local function block(group, message, at)
  putHeld(group, message)
  noteReap(group, message)
  standBehind(group, message, at)
end

-- Has a message that a group holds stand behind its key.
local function standBehind(group, message, at)
  call('ZADD', keyOf(group, 'chain'), 0, chainOf(domainOf(message)) .. seqText(message.seq))
  if at or message.lane then
    putSide(group, message.seq, { at = at or 0, blocked = true, lane = message.lane })
  end
  group.row.blocked = group.row.blocked + 1
end

local function isBusy(group, key)
  return call('HEXISTS', keyOf(group, 'heads'), key) == 1
end

-- Whether a message of the log has to stay behind others of its key. Then it does.
local function staysBehind(group, message)
  if group.row.stops and isStopped(group, message) then
    return true
  end
  if isBusy(group, message.key) then
    block(group, message)
    return true
  end
  return false
end

-- Has a message that is not in the log wait for its time, but behind its key if that is busy.
local function enter(group, message, at)
  local domain = domainOf(message)
  if domain and isBusy(group, domain) and not (group.row.parked and precedes(group, message)) then
    block(group, message, at)
    return
  end
  if domain then
    call('HSET', keyOf(group, 'heads'), domain, seqText(message.seq))
  end
  putHeld(group, message)
  noteReap(group, message)
  wait(group, message.seq, { at = at, attempt = 0, lane = message.lane })
end

-- Takes a message out of its place: it is done, dead or cancelled here. One that is ahead must be marked as gone besides.
local function remove(group, place, message)
  local row, kind, seq = group.row, place.kind, message.seq
  group.changed = true
  if row.running then
    dropProgress(group, seq)
  end
  if kind == 'ahead' then
    return
  end
  if kind == 'unjoined' then
    call('ZREMRANGEBYSCORE', keyOf(group, 'handed'), seq, seq)
    return
  end
  if kind == 'leased' then
    cutLease(group, place.lease, seq, seq)
    free(group, place.lease.key)
    return
  end
  dropHeld(group, message)
  local domain = domainOf(message)
  if kind == 'parked' then
    dropParked(group, message)
    if domain and not isHead(group, domain, seq) then
      call('ZREM', keyOf(group, 'chain'), chainOf(domain) .. seqText(seq))
      domain = nil
    end
    free(group, domain)
    return
  end
  if kind == 'lined' then
    leaveLine(group, changeFlow(group, message.lane), seq)
    if domain and call('HGET', keyOf(group, 'heads'), domain) == seqText(seq) then
      free(group, domain)
    end
    return
  end
  if kind == 'blocked' then
    call('ZREM', keyOf(group, 'chain'), chainOf(domain) .. seqText(seq))
    row.blocked = row.blocked - 1
    return
  end
  if kind == 'held' then
    endLease(group, seq, place.side)
  else
    endWait(group, seq, place.side)
  end
  free(group, domain)
end

-- Messages with a row in `ids` that a group has finished. What becomes of their ids is decided at the end of the verb.
local finished = {}

local function done(message)
  if message.named then
    finished[#finished + 1] = message
  end
end

-- Counts dead letters that keep what becomes of them.
local function tallyKeepers(group, by)
  tally(group.row, 'keepers', by)
  tally(queue, 'keepers', by)
  group.changed, queueChanged = true, true
end

-- Keeps a message as a dead letter, in the sorted set `dead:<group>` by seq. Its place must be taken care of. `deadFor`: for
-- how long; the sorted set `fade:<group>` has the seqs of those that go, by when. `letters:<group>`: ids with seqs, of those
-- whose ids do not tell.
local function bury(group, message, attempt, reason, reported, deadFor)
  local row = group.row
  local letter = { message = message, attempt = attempt, reason = reason, error = reported, at = clock, fence = nonce }
  if deadFor then
    letter.ends = now + deadFor
    call('ZADD', keyOf(group, 'fade'), letter.ends, seqText(message.seq))
    reapAt(letter.ends)
  end
  if message.named then
    call('ZADD', keyOf(group, 'letters'), 0, chainOf(message.id) .. seqText(message.seq))
  end
  call('ZADD', keyOf(group, 'dead'), message.seq, cmsgpack.pack(letter))
  row.dead = row.dead + 1
  group.changed = true
  if message.keep then
    tallyKeepers(group, 1)
    conclude(group, message, attempt, { status = 'dead', reason = reason, error = reported })
  end
  done(message)
end

-- The dead letter of a seq, unless its time is over, and its row.
local function letterAt(group, seq)
  local row = call('ZRANGEBYSCORE', keyOf(group, 'dead'), seq, seq)[1]
  local letter = row and cmsgpack.unpack(row)
  if letter and not (letter.ends and letter.ends <= now) then
    return letter, row
  end
  return nil, row
end

local function dropLetter(group, row)
  local letter = cmsgpack.unpack(row)
  local message = letter.message
  call('ZREM', keyOf(group, 'dead'), row)
  if letter.ends then
    call('ZREM', keyOf(group, 'fade'), seqText(message.seq))
  end
  if message.named then
    call('ZREM', keyOf(group, 'letters'), chainOf(message.id) .. seqText(message.seq))
  end
  if message.keep then
    tallyKeepers(group, -1)
  end
  local domain = group.row.stops and domainOf(message)
  if domain and call('HGET', keyOf(group, 'stops'), domain) == seqText(message.seq) then
    endStop(group, domain)
  end
  group.row.dead = group.row.dead - 1
  group.changed = true
end
