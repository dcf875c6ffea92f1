-- deleteGroup: number and clock, group. Answers with 1 if there is more to do, see tidy.
--@flags allow-oom
--@include rows log leases places moves ids group empty
--@lazily lanes holds
local group = open(ARGV[2])
if queue.holds then
  endHoldsOf(ARGV[2])
end
if not group then
  if queueChanged then
    finish(true)
  end
  return 0
end
allGroups()
groups[group.name] = nil
queue.groups = queue.groups - 1
queueChanged = true
call('HDEL', state, 'group:' .. group.name)
unlinkGroup(group)
if queue.groups == 0 then
  -- Nobody is left to wait for anything.
  endMessages()
else
  trimBelow(lowestFloor())
  cutIds()
end
if queue.scan then
  cleanIds(IDS_AT_ONCE)
end
finish(true)
return (queue.scan or queue.untidy) and 1 or 0
