-- results: number and clock, group, ids. Answers for each with '' or the status, when, and the value, or the reason and the error; for the
-- first of them only, where that is much.
--@flags no-writes
--@include rows log store leases places moves ids find outcomes
--@lazily lanes
local MAX_BYTES = 8 * 1024 * 1024 -- that an answer has, but for its last outcome
local group = open(ARGV[2])
local reply, bytes = {}, 0

-- How far the handler of a message is that is leased.
local function running(id)
  local found = group.row.running and find(id)
  local place = found and found.seq and locate(group, found.seq)
  local number, ends
  if place and place.kind == 'leased' then
    number, ends = place.lease.number, place.lease.ends
  elseif place and place.kind == 'held' then
    number, ends = place.side.lease, place.side.at
  end
  local progress = number and ends > now and progressOf(group, found.seq, number)
  return progress and { 'running', progress[1], progress[2] }
end

for i = 3, #ARGV do
  local outcome = group and group.row.kept and outcomeOf(group, ARGV[i])
  local details = outcome and detailsOf(outcome) or group and running(ARGV[i]) or ''
  reply[i - 2] = details
  for j = 3, #details do
    bytes = bytes + #details[j]
  end
  if bytes >= MAX_BYTES then
    break
  end
end
return reply
