-- lanes: number and clock, group, prefix, limit, the lane behind which to begin with a letter before it or ''.
-- Answers with '' or the lane to go on behind with a letter before it, and for each lane
--   name, waiting, leased, in how many ms it may go or -1, and its holds, see show.lua
--@flags no-writes
--@include rows log leases places lanes holds show moves
local PAGE_OF_LANES = 500

local group = open(ARGV[2])
local prefix, limit = ARGV[3], math.min(tonumber(ARGV[4]), PAGE_OF_LANES)
local from, to = '[' .. prefix, '(' .. prefix .. '\255'
local behind = string.match(ARGV[5], '^n(.*)$')
local names, seen = {}, {}

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

if group and group.row.lanes then
  note(keyOf(group, 'lanes'), '')
end
if queue.holds then
  note(base .. 'places', placeOf(nil, ''))
  note(base .. 'places', placeOf(ARGV[2], ''))
end

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
table.sort(names, isBefore)

-- Leases that have ended and that no claim has found.
local ENDED = 1000
local ended = {}
if group and group.row.lanes then
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
  local flow = group and flowOf(group, lane) or { size = 0, live = 0, ahead = 0, again = 0 }
  local holds, places = {}, { placeOf(nil, lane), placeOf(ARGV[2], lane) }
  local live = flow.live - (ended[lane] or 0)
  for _, place in ipairs(places) do
    holds[#holds + 1] = showHold(place, holdAt(place))
  end
  if flow.size > 0 or #holds > 0 then
    reply[#reply + 1] = { lane, flow.size - live, live, restOf(flow, places), holds }
  end
end
return reply
