local function dropDelayed(number, message)
  local member = seqText(number)
  call('ZREM', base .. 'timers', member)
  call('HDEL', base .. 'delayed', member)
  if message.expires then
    call('ZREM', base .. 'lapse', member)
  end
  queue.delayed = queue.delayed - 1
  queue.later = queue.later - #message.record
  if queue.delayed == 0 then
    queue.timer = nil
  end
  queueChanged = true
end

-- Takes a message away from every group that is not done with it, and frees its id. Answers whether there was one.
local function drop(id, found)
  if found.number then
    local message = delayedMessage(found.number)
    if not message then
      return false
    end
    dropDelayed(found.number, message)
    call('HDEL', base .. 'ids', id)
    call('ZREM', base .. 'past', id)
    return true
  end
  local seq = found.seq
  local early = queue.early and queue.groups == 0 and earlyMessage(seq)
  if early then
    dropEarly(early)
  end
  local dropped = early or queue.groups == 0 and isPending(seq)
  handing = false
  for _, group in pairs(allGroups()) do
    local place = locate(group, seq)
    if place then
      remove(group, place, messageIn(group, place, seq))
      dropped = true
    end
  end
  handing = true
  -- Nor do groups that join later get it.
  for key in pairs(queue.ghosts or {}) do
    call('ZREMRANGEBYSCORE', base .. key, seq, seq)
  end
  if not dropped then
    return false
  end
  if segmentAt(seq) then
    markGone(seq)
  end
  local row = call('HGET', base .. 'ids', id)
  if row and readId(row).seq == seq then
    call('HDEL', base .. 'ids', id)
    call('ZREM', base .. 'past', id)
  end
  return true
end

-- Segments at a cursor that one verb looks at for nothing but gone messages.
local SEGMENTS_PASSED = 16

-- Moves cursors past segments of which all is gone, and trims the log behind them, so that nothing is left of it.
local function passGone()
  if queue.gone == 0 then
    return
  end
  for _, group in pairs(allGroups()) do
    local row = group.row
    for _ = 1, SEGMENTS_PASSED do
      local segment = row.cursor < queue.tail and segmentAt(row.cursor)
      if
        not segment
        or call('ZCOUNT', base .. 'gone', row.cursor, segment.last) < segment.last - row.cursor + 1
      then
        break
      end
      row.cursor = segment.last + 1
      row.passed = segment.bytes + sizeOf(segment, 1, segment.count)
      group.changed = true
    end
  end
  if queue.groups == 0 then
    for _ = 1, SEGMENTS_PASSED do
      local segment = firstSegment()
      if not segment or call('ZCOUNT', base .. 'gone', segment.first, segment.last) < segment.count then
        break
      end
      trimBelow(segment.last + 1, segment.count)
    end
  end
end
