local function inLog(number, id)
  local segment = segmentAt(number)
  return segment and idAt(segment, number - segment.first + 1) == id
end

-- The numbers that the digits of an id may stand for: of a message of the log, or a delayed one.
local function digitsOf(id)
  local digits = #id == 36 and string.match(id, '^%x%x%x%x%x%x%x%x$', 29)
  local made = digits and tonumber(digits, 16)
  if not made then
    return nil
  end
  -- Digits start again at some number: it is the nearest one that exists.
  local odd = made % 2
  local newest = (odd == 0 and queue.tail or queue.number) - 1
  local number = newest - (newest - (made - odd) / 2) % WRAP
  return number >= 1 and number, odd
end

-- The seq that the digits of an id may stand for, of a message that was not delayed: those of lanes have digits of that kind.
local function seqOf(id)
  local number, odd = digitsOf(id)
  return number and number + odd * LANE_BASE
end

local function delayedMessage(number)
  local row = call('HGET', base .. 'delayed', seqText(number))
  return row and cmsgpack.unpack(row)
end

-- Finds a message by an id that was made for it, as long as the log has it or some group holds it.
local function findMade(id)
  local number, odd = digitsOf(id)
  if not number then
    return nil
  end
  if odd == 1 then
    local message = delayedMessage(number)
    if message then
      return message.id == id and { number = number } or nil
    end
    -- Those of lanes have digits of the same kind.
    number = LANE_BASE + number
    local early = queue.early and earlyMessage(number)
    if early and early.id == id then
      return { seq = number }
    end
  end
  if odd == 0 and inLog(number, id) then
    return { seq = number }
  end
  for _, group in pairs(allGroups()) do
    local key = unjoinedAt(group, number) or keyOf(group, 'held')
    local message = messageBy(key, number)
    if message and message.id == id then
      return { seq = number }
    end
  end
end

-- Finds a message by its id: { seq } or { number } of a delayed one. It may have ended together with others.
local function find(id)
  local row = call('HGET', base .. 'ids', id)
  if row then
    return (readId(row))
  end
  return findMade(id)
end
