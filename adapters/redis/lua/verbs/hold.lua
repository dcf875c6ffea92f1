-- hold: number and clock, group and lane with a letter before each or '', for how many ms or '', the reason or '', whether with a probe.
--@flags allow-oom
--@include rows log leases places lanes holds moves
open()
local place = placeOf(string.match(ARGV[2], '^n(.*)$'), string.match(ARGV[3], '^n(.*)$'))
local ms = tonumber(ARGV[4])
putHold(place, { since = clock, ends = ms and now + ms, reason = ARGV[5] ~= '' and ARGV[5] or nil, probe = ARGV[6] == '1' })
touchPlace(place)
finish(false)
