-- deleteGroup: clock, group.
--@flags allow-oom
--@include rows log group
local group = open(ARGV[2])
if group then
  unlinkGroup(group)
  call('HDEL', state, 'group:' .. group.name)
  groups[group.name] = nil
  queue.groups = queue.groups - 1
  queueChanged = true
  trimBelow(lowestFloor())
  if queue.groups == 0 then
    -- Nobody is left to wait for delayed messages, or to have a message under its id.
    call('UNLINK', base .. 'timers', base .. 'delayed', base .. 'ids', base .. 'expiry')
    queue.delayed = 0
    queue.timer = nil
  end
  finish(true)
end
