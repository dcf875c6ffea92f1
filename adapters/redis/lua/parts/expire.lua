-- What one claim works off of what has expired, and of what is to be forgotten. The rest is left to the next.
local EXPIRED_AT_ONCE = 256
-- How much more work a death is than to look at a message.
local DEATH = 2
local PAST_AT_ONCE = 1000
local OUTCOMES_AT_ONCE = 1000

-- Makes what has expired of the log a dead letter of every group that has yet to come by. A message under a lease is left
-- alone: its consumer may yet finish it, and if not, it dies when the lease ends.
local function expireAhead(message)
  for _, group in pairs(allGroups()) do
    if message.seq >= group.row.cursor then
      if group.row.parksNext and message.key then
        stopBehind(group, message)
      end
      bury(group, message, 0, 'expired', nil, group.row.deadFor)
    end
  end
  markGone(message.seq)
end

-- Answers how much work it was: to read many segments is some, too.
local function expireSegment(member, most)
  local last = tonumber(member)
  local segment = segmentAt(last)
  local worked, next = 0, nil
  if segment and segment.last == last then
    local amendments = amendmentsOf(segment.first, last)
    local gone = goneIn(segment.first, last)
    local expiries = segment.columns and segment.columns.expires or {}
    for i = 1, segment.count do
      local seq = segment.first + i - 1
      local amendment = amendments and amendments[seq]
      local expires
      if amendment then
        expires = amendment.expires
      else
        expires = expiries[i]
      end
      if expires and not (gone and gone[seq]) then
        if expires <= now and worked < most then
          worked = worked + 1
          expireAhead(amendment or messageAt(segment, i))
        else
          next = next and math.min(next, expires) or expires
        end
      end
    end
  end
  if next then
    call('ZADD', base .. 'expiry', next, member)
  else
    call('ZREM', base .. 'expiry', member)
    queue.reaps = queue.reaps - call('ZREM', base .. 'reaps', member)
  end
  return worked + (segment and math.ceil(segment.count / 32) or 1)
end

-- Dead letters of a group whose time is over. Answers how many.
local function sweepFaded(group, most)
  if group.row.dead == 0 then
    return 0
  end
  local members = call('ZRANGEBYSCORE', keyOf(group, 'fade'), '-inf', now, 'LIMIT', 0, most)
  for _, member in ipairs(members) do
    local _, row = letterAt(group, tonumber(member))
    if row then
      dropLetter(group, row)
    else
      call('ZREM', keyOf(group, 'fade'), member)
    end
  end
  return #members
end

local function firstOf(key, soonest)
  local time = tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  return time and soonest and math.min(time, soonest) or time or soonest
end

-- Only claims do this: a message that expires must have a group to be dead in. `settled`: how many this one has settled.
-- Answers how much was worked off.
local function sweepExpired(settled)
  if not queue.reap or queue.reap > now then
    return 0
  end
  local left = EXPIRED_AT_ONCE
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'expiry', '-inf', now, 'LIMIT', 0, EXPIRED_AT_ONCE)) do
    if left > 0 then
      left = left - expireSegment(member, left)
    end
  end
  local soonest
  -- Outcomes: more than can have come to be since the last time.
  local swept, most = 0, math.max(OUTCOMES_AT_ONCE, 2 * settled)
  for _, group in pairs(allGroups()) do
    local lanes = group.row.lanes
    if group.row.waiting + group.row.blocked + (group.row.parked or 0) > 0 or lanes and lanes.flows > 0 then
      local members = left > 0
          and call('ZRANGEBYSCORE', keyOf(group, 'reap'), '-inf', now, 'LIMIT', 0, left)
        or {}
      for _, member in ipairs(members) do
        local seq = tonumber(member)
        local place, message = locate(group, seq), heldMessage(group, seq)
        if not place or not message then
          corrupt('a message')
        end
        local side = place.side or {}
        if group.row.parksNext and message.key then
          stopBehind(group, message)
        end
        remove(group, place, message)
        -- A lease in a lane that has ended.
        if side.lease then
          group.row.failed = group.row.failed + 1
        end
        local reported = side.parked and side.parked.reason or side.error
        bury(group, message, side.attempt or 0, 'expired', reported, group.row.deadFor)
      end
      left = left - #members
    end
    if left > 0 then
      left = left - sweepFaded(group, left)
    end
    soonest = firstOf(keyOf(group, 'fade'), firstOf(keyOf(group, 'reap'), soonest))
    if group.row.kept then
      swept = swept + sweepOutcomes(group, math.max(1, most - swept))
      soonest = firstOf(keyOf(group, 'until'), soonest)
    end
  end
  local past = math.min(PAST_AT_ONCE, call('ZCOUNT', base .. 'past', '-inf', now))
  if past > 0 then
    call('ZREMRANGEBYRANK', base .. 'past', 0, past - 1)
  end
  queue.reap = firstOf(base .. 'past', firstOf(base .. 'expiry', soonest))
  queueChanged = true
  return DEATH * (EXPIRED_AT_ONCE - left)
end
