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

local reply = { #names > limit and limit > 0 and 'n' .. names[limit] or '' }
for i = 1, math.min(limit, #names) do
  local lane = names[i]
  local flow = group and flowOf(group, lane) or { size = 0, live = 0, ahead = 0, again = 0 }
  local holds = {}
  for _, place in ipairs({ placeOf(nil, lane), placeOf(ARGV[2], lane) }) do
    holds[#holds + 1] = showHold(place, holdAt(place))
  end
  if flow.size > 0 or #holds > 0 then
    local rests = flow.ahead + flow.again > 0 and not flow.byLive and flow.rest and flow.rest > now
    reply[#reply + 1] = { lane, flow.size - flow.live, flow.live, rests and math.ceil(flow.rest - now) or -1, holds }
  end
end
return reply
