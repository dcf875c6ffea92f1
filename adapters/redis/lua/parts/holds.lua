-- Holds.
--
-- The hash `holds`: by place, each hold:
--   since, reason, probe
--   ends      when it is over, unless it is released
--   probing   it is over, and one message at a time goes in each group, but for those that are `freed` because one was acked,
--             which has the number that they were born with;
--             `out`: by group, the seq and the number of the lease of the one that went
-- The sorted set `places`: places in lexicographic order. `over`: those that end by themselves, by when.
--
-- Places of groups and of the queue come first, then lanes of groups, and then those of all.
local function placeOf(group, lane)
  if not lane then
    return group and 'b' .. group or 'a'
  end
  return group and 'c' .. chainOf(group) .. lane or 'd' .. lane
end

-- What a place is of: the name of a group, and a lane, as far as it is of one.
local function readPlace(place)
  local kind, rest = string.sub(place, 1, 1), string.sub(place, 2)
  if kind == 'b' then
    return rest, nil
  elseif kind == 'd' then
    return nil, rest
  elseif kind == 'c' then
    local length = struct.unpack('>I2', rest)
    return string.sub(rest, 3, length + 2), string.sub(rest, length + 3)
  end
  return nil, nil
end

local holdsRead = {}

local function isFreed(hold, group)
  return hold.freed ~= nil and hold.freed[group.name] == (group.row.born or 0)
end

-- Reads what some places have, as far as that was not done.
local function readHolds(wanted)
  local unread = {}
  for i = 1, #wanted do
    if holdsRead[wanted[i]] == nil then
      unread[#unread + 1] = wanted[i]
    end
  end
  for from = 1, #unread, 1000 do
    local to = math.min(#unread, from + 999)
    local rows = call('HMGET', base .. 'holds', unpack(unread, from, to))
    for i = from, to do
      local row = rows[i - from + 1]
      holdsRead[unread[i]] = row and cmsgpack.unpack(row) or false
    end
  end
end

local function holdAt(place)
  if not queue.holds then
    return nil
  end
  readHolds({ place })
  return holdsRead[place] or nil
end

-- How a hold stands for a group: `held`, or `probing`, or `nil`: it is over. Without a group, for any.
local function standingOf(place, hold, group)
  if not hold then
    return nil
  end
  if not hold.probing then
    if not (hold.ends and hold.ends <= now) then
      return 'held'
    end
    if not hold.probe then
      return nil
    end
  end
  if group then
    return not isFreed(hold, group) and 'probing' or nil
  end
  -- It is over when each group that exists has had its ack.
  local count = 0
  local own = readPlace(place)
  for _, one in pairs(own and {} or allGroups()) do
    count = count + 1
    if not isFreed(hold, one) then
      return 'probing'
    end
  end
  return count == 0 and 'probing' or nil
end

local function noteOver()
  queue.over = tonumber(call('ZRANGE', base .. 'over', 0, 0, 'WITHSCORES')[2])
end

local function dropHold(place)
  holdsRead[place] = false
  call('HDEL', base .. 'holds', place)
  call('ZREM', base .. 'over', place)
  if call('ZREM', base .. 'places', place) == 1 then
    queue.holds = queue.holds > 1 and queue.holds - 1 or nil
  end
  noteOver()
  queueChanged = true
end

local function putHold(place, hold)
  holdsRead[place] = hold
  call('HSET', base .. 'holds', place, cmsgpack.pack(hold))
  if hold.ends then
    call('ZADD', base .. 'over', hold.ends, place)
  else
    call('ZREM', base .. 'over', place)
  end
  queue.holds = (queue.holds or 0) + call('ZADD', base .. 'places', 0, place)
  noteOver()
  queueChanged = true
end

-- Has the lanes of a place looked at: they may go, or may not go any more.
local function touchPlace(place)
  local name, lane = readPlace(place)
  if not lane then
    return
  end
  for one, group in pairs(allGroups()) do
    if (not name or name == one) and group.row.lanes and group.row.lanes.flows > 0 then
      local flow = changeFlow(group, lane)
      -- It rested because the probe was out.
      if flow.byLive then
        flow.rest, flow.byLive = nil, false
      end
    end
  end
end

local function startProbing(place, hold)
  hold.probe, hold.probing, hold.ends = true, true, nil
  hold.freed, hold.out = {}, {}
  putHold(place, hold)
  touchPlace(place)
end

local function endHold(place)
  dropHold(place)
  touchPlace(place)
end

-- A group is deleted, and with it what holds it.
local function endHoldsOf(name)
  if holdAt(placeOf(name)) then
    dropHold(placeOf(name))
  end
  local prefix = placeOf(name, '')
  while queue.holds do
    local found = call('ZRANGEBYLEX', base .. 'places', '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', 0, 1000)
    if #found == 0 then
      return
    end
    call('HDEL', base .. 'holds', unpack(found))
    call('ZREM', base .. 'over', unpack(found))
    call('ZREM', base .. 'places', unpack(found))
    queue.holds = queue.holds > #found and queue.holds - #found or nil
    noteOver()
    queueChanged = true
  end
end

-- Works off holds that have ended. Answers whether there are more.
local function sweepHolds()
  local places = call('ZRANGEBYSCORE', base .. 'over', '-inf', now, 'LIMIT', 0, ALARMS_AT_ONCE)
  readHolds(places)
  for _, place in ipairs(places) do
    local hold = holdAt(place)
    if hold and hold.probe then
      startProbing(place, hold)
    else
      endHold(place)
    end
  end
  return queue.over and queue.over <= now
end

-- Reads what holds some lanes of a group.
local function readLaneHolds(group, names)
  local places = {}
  for i = 1, #names do
    places[#places + 1] = placeOf(nil, names[i])
    places[#places + 1] = placeOf(group.name, names[i])
  end
  readHolds(places)
end

-- The names of those lanes of a group that are held.
local function heldLanes(group, flows)
  local names, held = {}, {}
  for lane in pairs(flows) do
    names[#names + 1] = lane
  end
  readLaneHolds(group, names)
  for _, lane in ipairs(names) do
    for _, place in ipairs({ placeOf(nil, lane), placeOf(group.name, lane) }) do
      if standingOf(place, holdsRead[place], group) == 'held' then
        held[lane] = true
      end
    end
  end
  return held
end

-- What hinders a group, or a lane of one: when that is over or `math.huge`, and the holds that probe there.
local function hindrances(group, lane)
  local ends
  local probes = {}
  if queue.holds then
    local places = { placeOf(nil, lane), placeOf(group.name, lane) }
    readHolds(places)
    for _, place in ipairs(places) do
      local hold = holdAt(place)
      local standing = standingOf(place, hold, group)
      if standing == 'held' then
        ends = math.max(ends or 0, hold.ends or math.huge)
      elseif standing == 'probing' then
        probes[#probes + 1] = place
      end
    end
  end
  return ends, probes
end

-- When the lease ends of a probe that is out, if one of these holds has one.
local function probeOut(group, probes)
  for _, place in ipairs(probes) do
    local out = (holdAt(place).out or {})[group.name]
    if out then
      local side = sideOf(group, out[1])
      if side and side.lease == out[2] then
        if side.at > now then
          return side.at
        end
      elseif not side and out[1] < LANE_BASE and group.row.leased > group.row.out then
        local lease = leaseAt(group, out[1])
        if lease and lease.number == out[2] and lease.ends > now then
          return lease.ends
        end
      end
    end
  end
end

-- One delivery is the probe of all holds that probe.
local function noteProbe(group, probes, seq, number)
  for _, place in ipairs(probes) do
    local hold = holdAt(place)
    if not hold.probing then
      startProbing(place, hold)
    end
    hold.out = hold.out or {}
    hold.out[group.name] = { seq, number }
    putHold(place, hold)
  end
end

-- An ack of messages from one lease: if the probe is among them, the rest goes. Answers whether it does.
local function freeProbed(group, lane, number, first, last)
  local goes = false
  local places = { 'a', placeOf(group.name) }
  if lane then
    places[3], places[4] = placeOf(nil, lane), placeOf(group.name, lane)
  end
  readHolds(places)
  for _, place in ipairs(places) do
    local hold = holdAt(place)
    local out = hold and hold.probing and hold.out and hold.out[group.name]
    if out and out[2] == number and out[1] >= first and out[1] <= last then
      hold.freed = hold.freed or {}
      hold.freed[group.name] = group.row.born or 0
      hold.out[group.name] = nil
      if readPlace(place) or not standingOf(place, hold) then
        endHold(place)
      else
        putHold(place, hold)
        touchPlace(place)
      end
      goes = true
    end
  end
  return goes
end
