-- stats: number and clock, what an earlier step answered or ''. Looks at the rows of the groups and at what is due and not worked off.
-- Answers with a text to go on with, if it is not done; or with messages, bytes, the age of the oldest or -1, sent, and for
-- each group its name, ready, leased, delayed, blocked, parked, dead, the age of its oldest or -1, acked, failed; all of that behind an
-- array of the holds, see `showHold`.
--@flags no-writes
--@include rows log store leases places moves ids find group counts
--@lazily lanes holds show
open()
allGroups()
local LOOK_AT_ONCE = 5000

local count = ARGV[2] == '' and startCount() or cmsgpack.unpack(ARGV[2])
for name in pairs(count.groups) do
  -- It was deleted meanwhile.
  if not groups[name] then
    count.groups[name] = nil
  end
end
if not goOn(count, LOOK_AT_ONCE) then
  return cmsgpack.pack(count)
end

local function ageOf(message)
  return message and math.max(0, clock - message.at)
end

local first = firstSegment()
local oldest = first and ageOf(first)

local function noteAge(age)
  if age and (not oldest or age > oldest) then
    oldest = age
  end
end

if isOverdue() then
  local number = call('ZRANGE', base .. 'timers', 0, 0)[1]
  noteAge(number and ageOf(delayedMessage(tonumber(number))))
end
local early = queue.early and call('ZRANGE', base .. 'early', 0, 0)[1]
noteAge(early and ageOf(cmsgpack.unpack(early)))
local reply = { queue.holds and showHolds() or {}, countMessages(count), bytesRetained(), -1, queue.sent }
for name in pairs(count.groups) do
  local group = groups[name]
  local row = group.row
  local ready, leased, delayed, blocked, parked = countGroup(count, group)
  local faded = row.dead > 0 and call('ZCOUNT', keyOf(group, 'fade'), '-inf', now) or 0
  local floor = floorOf(group)
  local age = floor < queue.tail and ageOf(logMessage(floor))
  local held = call('ZRANGE', keyOf(group, 'held'), 0, 0)[1]
  if held then
    age = math.max(age or 0, ageOf(cmsgpack.unpack(held)))
  end
  if row.lanes and row.lanes.flows > 0 then
    local first = call('ZRANGEBYSCORE', keyOf(group, 'held'), string.format('%.0f', LANE_BASE), '+inf', 'LIMIT', 0, 1)[1]
    age = first and math.max(age or 0, ageOf(cmsgpack.unpack(first))) or age
  end
  noteAge(age)
  for _, value in ipairs({ name, ready, leased, delayed, blocked, parked, row.dead - faded, age or -1, row.acked, row.failed }) do
    reply[#reply + 1] = value
  end
end
reply[4] = oldest or -1
return reply
