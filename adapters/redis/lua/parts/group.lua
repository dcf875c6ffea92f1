-- The row of a group that has nothing in flight yet.
local function newRow(token, cursor)
  return {
    token = token,
    cursor = cursor,
    floor = cursor,
    trimmed = cursor,
    lease = 1,
    skipped = 0,
    leased = 0,
    waiting = 0,
    blocked = 0,
    dead = 0,
    acked = 0,
    failed = 0,
    latest = 0,
  }
end

local GROUP_KEYS = { 'leases', 'ends', 'held', 'side', 'due', 'heads', 'chain', 'dead' }

local function unlinkGroup(group)
  for _, kind in ipairs(GROUP_KEYS) do
    call('UNLINK', keyOf(group, kind))
  end
end

-- A group as it would start now.
local function imagineGroup(name, token, from)
  local first = firstSegment()
  local cursor = first and first.first or queue.tail
  -- The first group takes everything: messages sent before anybody listened wait for it.
  if from == 'latest' and queue.groups > 0 then
    cursor = queue.tail
  end
  -- What every group has finished is not retained, even if a segment still holds it.
  if cursor < queue.tail and queue.groups > 0 then
    cursor = math.max(cursor, lowestFloor())
  end
  local row = newRow(token, cursor)
  for _, amendment in pairs(amendmentsOf(cursor, queue.tail) or {}) do
    if amendment.gone then
      row.skipped = row.skipped + 1
    end
  end
  return { name = name, row = row, changed = false }
end
