-- Shows holds: the group and the lane, each with a letter before it or '', reason or '', since, in how many ms it is over or -1, whether
-- with a probe, and whether that is out.
local MAX_HOLDS = 100

local function showHold(place, hold)
  local standing = standingOf(place, hold)
  if not standing then
    return nil
  end
  local name, lane = readPlace(place)
  return {
    name and 'n' .. name or '',
    lane and 'n' .. lane or '',
    hold.reason or '',
    hold.since,
    standing == 'held' and hold.ends and math.ceil(hold.ends - now) or -1,
    hold.probe and 1 or 0,
    standing == 'probing' and 1 or 0,
  }
end

-- Some holds, those of groups and of the queue first.
local function showHolds()
  local shown = {}
  if queue.holds then
    local places = call('ZRANGE', base .. 'places', 0, MAX_HOLDS - 1)
    readHolds(places)
    for _, place in ipairs(places) do
      shown[#shown + 1] = showHold(place, holdAt(place))
    end
  end
  return shown
end
