local function dropDelayed(number)
  local member = seqText(number)
  call('ZREM', base .. 'timers', member)
  call('HDEL', base .. 'delayed', member)
  call('ZREM', base .. 'expiry', 'd' .. member)
  queue.delayed = queue.delayed - 1
  queueChanged = true
end

-- Takes a message away from every group that is not done with it. Answers whether there was one.
local function drop(id, found)
  if found.number then
    dropDelayed(found.number)
    call('HDEL', base .. 'ids', id)
    return true
  end
  local seq = found.seq
  local dropped = queue.groups == 0 and isPending(seq)
  for _, group in pairs(allGroups()) do
    local place = locate(group, seq)
    if place then
      local key = place.kind ~= 'ahead' and place.kind ~= 'leased' and heldMessage(group, seq).key
      remove(group, place, seq, key or nil)
      dropped = true
    end
  end
  if not dropped then
    return false
  end
  if segmentAt(seq) then
    amend(seq, true)
  end
  if call('HGET', base .. 'ids', id) == string.format('s%.0f', seq) then
    call('HDEL', base .. 'ids', id)
  end
  return true
end
