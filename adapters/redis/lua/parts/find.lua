local function inLog(number, id)
  local segment = segmentAt(number)
  return segment and idAt(segment, number - segment.first + 1) == id
end

-- The seq in an id that was made for a message, as long as the log has it or some group holds it.
local function findMade(id)
  local digits = #id == 36 and string.match(id, '^%x%x%x%x%x%x%x%x$', 29)
  local made = digits and tonumber(digits, 16)
  if not made or made % 2 == 1 then
    return nil
  end
  -- Digits start again at some number: it is the nearest one that exists.
  local newest = queue.tail - 1
  local seq = newest - (newest - made / 2) % WRAP
  if seq < 1 then
    return nil
  end
  if inLog(seq, id) then
    return seq
  end
  for _, group in pairs(allGroups()) do
    local message = heldMessage(group, seq)
    if message and message.id == id then
      return seq
    end
  end
end

-- Finds a message by its id: { seq } or { number } of a delayed one.
local function find(id)
  local row = call('HGET', base .. 'ids', id)
  if row then
    local number = tonumber(string.sub(row, 2))
    return string.sub(row, 1, 1) == 's' and { seq = number } or { number = number }
  end
  local seq = findMade(id)
  return seq and { seq = seq }
end

local function delayedMessage(number)
  local row = call('HGET', base .. 'delayed', seqText(number))
  return row and cmsgpack.unpack(row)
end
