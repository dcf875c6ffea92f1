-- deleteGroup: clock, group.
--@flags allow-oom
--@include rows log store leases places moves group
local SEGMENTS_AT_ONCE = 16

-- Ids of messages that only this group had not finished are free: those that it held, and those that leave the log.
local function freeIds(group, floor)
  if call('EXISTS', base .. 'ids') == 0 then
    return
  end
  for _, member in ipairs(call('ZRANGE', keyOf(group, 'held'), 0, -1)) do
    done(group, cmsgpack.unpack(member))
  end
  local from = 0
  while from < floor do
    local entries = segmentsFrom(from, SEGMENTS_AT_ONCE)
    from = floor
    for _, entry in ipairs(entries) do
      local segment = toSegment(entry)
      from = segment.last + 1
      for i, named in pairs(segment.columns and segment.columns.named or {}) do
        done(group, { seq = segment.first + i - 1, id = segment.columns.id[i], named = named })
      end
    end
  end
  forgetIds(true)
end

local group = open(ARGV[2])
if group then
  allGroups()
  groups[group.name] = nil
  queue.groups = queue.groups - 1
  queueChanged = true
  local floor = lowestFloor()
  if queue.groups == 0 then
    -- Nobody is left to wait for delayed messages, or to have a message under its id.
    call('UNLINK', base .. 'timers', base .. 'delayed', base .. 'ids', base .. 'expiry')
    queue.delayed = 0
    queue.timer = nil
  else
    freeIds(group, floor)
  end
  unlinkGroup(group)
  call('HDEL', state, 'group:' .. group.name)
  trimBelow(floor)
  finish(true)
end
