-- lanes: number and clock, group, prefix, limit, the lane behind which to begin with a letter before it or ''.
-- Answers with '' or the lane to go on behind with a letter before it, and for each lane
--   name, waiting, leased, in how many ms it may go or -1, and its holds, see show.lua
--@flags no-writes
--@include rows log store leases places lanes holds show moves ids group
local PAGE_OF_LANES = 500
local LOOK_AHEAD = 2000 -- messages that it looks at of what a group has yet to take over

local known = open(ARGV[2])
local group = known or imagineGroup(ARGV[2], '', 'earliest')
local prefix, limit = ARGV[3], math.min(tonumber(ARGV[4]), PAGE_OF_LANES)
local from, to = '[' .. prefix, '(' .. prefix .. '\255'
local behind = string.match(ARGV[5], '^n(.*)$')
local names, seen = {}, {}

-- By bytes: comparing strings goes by what the server's locale says.
local function isBefore(a, b)
  for i = 1, math.min(#a, #b) do
    local one, other = string.byte(a, i), string.byte(b, i)
    if one ~= other then
      return one < other
    end
  end
  return #a < #b
end

-- Notes names from a sorted set whose members begin with `start`.
local function note(key, start)
  local min = behind and '(' .. start .. behind or '[' .. start .. prefix
  local members = call('ZRANGEBYLEX', key, min, '(' .. start .. prefix .. '\255', 'LIMIT', 0, limit + 1)
  for _, member in ipairs(members) do
    local name = string.sub(member, #start + 1)
    if not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
end

-- How many messages of a lane a group has yet to take over, or are due and were not moved.
local coming = {}
local function count(lane)
  coming[lane] = (coming[lane] or 0) + 1
  local isWanted = string.sub(lane, 1, #prefix) == prefix and (not behind or isBefore(behind, lane))
  if isWanted and not seen[lane] then
    seen[lane] = true
    names[#names + 1] = lane
  end
end

if queue.laned and isOverdue() then
  local due = call('ZRANGEBYSCORE', base .. 'timers', '-inf', now, 'WITHSCORES', 'LIMIT', 0, LOOK_AHEAD)
  for i = 1, #due, 2 do
    local message = cmsgpack.unpack(call('HGET', base .. 'delayed', due[i]))
    if message.lane and not isSince(group, tonumber(due[i + 1]), tonumber(due[i])) then
      count(message.lane)
    end
  end
end

local join = group.row.join
if join and join.lanes then
  nextWindow(join)
end
local looked, isAll = 0, true
while join and join.bound > LANE_BASE do
  if looked >= LOOK_AHEAD then
    isAll = false
    break
  end
  local messages, bound = unjoined(group, LOOK_AHEAD)
  for _, message in ipairs(messages) do
    count(message.lane)
  end
  looked = looked + #messages + 1
  if bound >= join.bound then
    break
  end
  join.from = bound - 1
end

if group.row.lanes then
  note(keyOf(group, 'lanes'), '')
end
-- Of one that does not exist, and would get more than that: what the group has that has most of the lane.
local others = {}
if not known and not isAll then
  for _, other in pairs(allGroups()) do
    others[#others + 1] = other
    note(keyOf(other, 'lanes'), '')
  end
end
if queue.holds then
  note(base .. 'places', placeOf(nil, ''))
  note(base .. 'places', placeOf(ARGV[2], ''))
end

table.sort(names, isBefore)

-- Leases that have ended and that no claim has found.
local ENDED = 1000
local ended = {}
if group.row.lanes then
  local members = call('ZRANGEBYSCORE', keyOf(group, 'lends'), '-inf', now, 'LIMIT', 0, ENDED)
  local sides = #members > 0 and call('HMGET', keyOf(group, 'side'), unpack(members)) or {}
  for i = 1, #members do
    local lane = sides[i] and cmsgpack.unpack(sides[i]).lane
    if lane then
      ended[lane] = (ended[lane] or 0) + 1
    end
  end
end

-- In how many ms a lane may go again, or -1.
local function restOf(flow, places)
  if flow.ahead + flow.again == 0 then
    return -1
  end
  local ends = not flow.byLive and flow.rest or 0
  for _, place in ipairs(places) do
    local hold = holdAt(place)
    if standingOf(place, hold, group) == 'held' then
      ends = math.max(ends, hold.ends or math.huge)
    end
  end
  return ends > now and ends < math.huge and math.ceil(ends - now) or -1
end

local reply = { #names > limit and limit > 0 and 'n' .. names[limit] or '' }
for i = 1, math.min(limit, #names) do
  local lane = names[i]
  local flow = flowOf(group, lane)
  local size = flow.size + (coming[lane] or 0)
  for _, other in ipairs(others) do
    size = math.max(size, flowOf(other, lane).size)
  end
  local holds, places = {}, { placeOf(nil, lane), placeOf(ARGV[2], lane) }
  local live = flow.live - (ended[lane] or 0)
  for _, place in ipairs(places) do
    holds[#holds + 1] = showHold(place, holdAt(place))
  end
  if size > 0 or #holds > 0 then
    reply[#reply + 1] = { lane, size - live, live, restOf(flow, places), holds }
  end
end
return reply
