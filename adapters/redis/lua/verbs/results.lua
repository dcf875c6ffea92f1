-- results: number and clock, group, ids. Answers for each with '' or the status, when, and the value, or the reason and the error.
--@flags no-writes
--@include rows log store leases places moves ids find outcomes
--@lazily lanes
local group = open(ARGV[2])
local reply = {}

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
  reply[i - 2] = outcome and detailsOf(outcome) or group and running(ARGV[i]) or ''
end
return reply
