-- Where a message waits in a group, if it does and has expired: it may have been replaced by another since.
local function expiredIn(group, seq)
  local place = locate(group, seq)
  if not place or place.kind == 'leased' or place.kind == 'held' then
    return nil
  end
  local message = messageIn(group, place, seq)
  if message and message.expires and message.expires <= now then
    return place, message
  end
end
