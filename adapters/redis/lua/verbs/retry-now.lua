-- retryNow: number and clock, group, ids. Answers with one digit for each.
--@flags allow-oom
--@include rows log store leases places moves ids find
--@lazily lanes holds
local group = open(ARGV[2])
local results = {}
for i = 3, #ARGV do
  local found = group and find(ARGV[i])
  local place = found and found.seq and locate(group, found.seq)
  local waits = place and place.kind == 'waiting' and place.side.at > now
  if waits then
    endWait(group, found.seq, place.side)
    place.side.at = now
    wait(group, found.seq, place.side)
  end
  results[#results + 1] = waits and '1' or '0'
end
finish(true)
return table.concat(results)
