-- release: number and clock, group and lane with a letter before each or '', whether with a probe. Answers whether there was a hold.
--@flags allow-oom
--@include rows log leases places lanes holds moves
open()
local place = placeOf(string.match(ARGV[2], '^n(.*)$'), string.match(ARGV[3], '^n(.*)$'))
local hold = holdAt(place)
if not hold then
  return 0
end
local standing = standingOf(place, hold)
if not standing or ARGV[4] ~= '1' then
  endHold(place)
elseif standing == 'held' then
  startProbing(place, hold)
end
finish(true)
return standing and 1 or 0
