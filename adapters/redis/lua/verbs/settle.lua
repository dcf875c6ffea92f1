-- settle: number and clock, group, then what is to be settled. Answers with the results.
--@flags allow-oom
--@include rows log store leases places moves ids settling
--@lazily parked outcomes lanes holds
local group = open(ARGV[2])
local settled = settleAll(group, 3)
if group and group.changed then
  unpin(group)
  if concluded then
    keepOutcomes()
  end
  forgetIds()
  finish(settledWakes)
end
return settled
