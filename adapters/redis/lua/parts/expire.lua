-- Timers that one claim works off. The rest is left to the next.
local EXPIRED_AT_ONCE = 256

-- Makes what has expired a dead letter of every group that has it waiting. A message under a lease is left alone: its
-- consumer may yet finish it, and if not, it dies when the lease ends.
local function expire(seq)
  local waiting = {}
  for _, group in pairs(allGroups()) do
    local place, message = expiredIn(group, seq)
    if place then
      waiting[#waiting + 1] = { group = group, place = place, message = message }
    end
  end
  local message = segmentAt(seq) and logMessage(seq)
  if message and message.expires and message.expires <= now and not isGone(seq) then
    amend(seq, true, message)
  end
  for _, one in ipairs(waiting) do
    local side = one.place.side or {}
    remove(one.group, one.place, seq, one.message.key)
    bury(one.group, one.message, side.attempt or 0, 'expired', side.error)
  end
end

-- Only claims do this: a message that expires must have a group to be dead in.
local function sweepExpired()
  if not queue.reap or queue.reap > now then
    return
  end
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'expiry', '-inf', now, 'LIMIT', 0, EXPIRED_AT_ONCE)) do
    -- Delayed messages expire when they are in the log.
    if string.sub(member, 1, 1) == 'm' then
      call('ZREM', base .. 'expiry', member)
      expire(tonumber(string.sub(member, 2)))
    end
  end
  call('ZREMRANGEBYSCORE', base .. 'past', '-inf', now)
  local expiry = tonumber(call('ZRANGE', base .. 'expiry', 0, 0, 'WITHSCORES')[2])
  local past = tonumber(call('ZRANGE', base .. 'past', 0, 0, 'WITHSCORES')[2])
  queue.reap = expiry and past and math.min(expiry, past) or expiry or past
  queueChanged = true
end
