-- cancel: number and clock, ids. Answers with one digit for each.
--@flags allow-oom
--@include rows log store leases places moves ids find drop
--@lazily parked outcomes lanes holds
open()
local results = {}
for i = 2, #ARGV do
  local found = find(ARGV[i])
  results[#results + 1] = found and drop(ARGV[i], found) and '1' or '0'
end
passGone()
finish(true)
return table.concat(results)
