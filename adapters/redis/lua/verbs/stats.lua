-- stats: clock. Looks only at the rows of the groups and at what is due and not worked off.
-- Answers with messages, bytes, the age of the oldest or -1, sent, and for each group its name, ready, leased, delayed,
-- blocked, dead, the age of its oldest or -1, acked, failed.
--@flags no-writes
--@include rows log store leases places expired
open()
local DUE_AT_MOST = 4096

local function ageOf(message)
  return message and math.max(0, clock - message.at)
end

local first = firstSegment()
local expired, expiredDelayed = {}, 0
if queue.reap and queue.reap <= now then
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'expiry', '-inf', now, 'LIMIT', 0, DUE_AT_MOST)) do
    if string.sub(member, 1, 1) == 'm' then
      expired[#expired + 1] = tonumber(string.sub(member, 2))
    else
      expiredDelayed = expiredDelayed + 1
    end
  end
end
local dueDelayed = queue.timer and queue.timer <= now and call('ZCOUNT', base .. 'timers', '-inf', now) or 0

local messages, oldest = 0, first and ageOf(first)
local reply = { 0, first and queue.bytes - first.bytes or 0, -1, queue.sent }
local count = 0
for name, group in pairs(allGroups()) do
  local row = group.row
  count = count + 1
  local ended, due = 0, 0
  if row.leased > 0 then
    for _, member in ipairs(call('ZRANGEBYSCORE', keyOf(group, 'ends'), '-inf', now)) do
      local lease = string.match(member, '^%d+$') and { first = 0, last = 0 } or toLease(member)
      ended = ended + lease.last - lease.first + 1
    end
  end
  if row.waiting > 0 then
    due = call('ZCOUNT', keyOf(group, 'due'), '-inf', now)
  end
  local ready = queue.tail - row.cursor - row.skipped + ended + due + dueDelayed - expiredDelayed
  local delayed = queue.delayed + row.waiting - due - dueDelayed
  local blocked = row.blocked
  for _, seq in ipairs(expired) do
    local place = expiredIn(group, seq)
    if place and place.kind == 'parked' then
      blocked = blocked - 1
    elseif place and place.kind == 'waiting' and place.side.at > now then
      delayed = delayed - 1
    elseif place then
      ready = ready - 1
    end
  end
  local floor = floorOf(group)
  local age = floor < queue.tail and ageOf(logMessage(floor))
  local held = call('ZRANGE', keyOf(group, 'held'), 0, 0)[1]
  if held then
    age = math.max(age or 0, ageOf(cmsgpack.unpack(held)))
  end
  if age and (not oldest or age > oldest) then
    oldest = age
  end
  for _, value in ipairs({ name, ready, row.leased - ended, delayed, blocked, row.dead, age or -1, row.acked, row.failed }) do
    reply[#reply + 1] = value
  end
  messages = math.max(messages, ready + row.leased - ended + delayed + blocked)
end
if count == 0 then
  -- Messages that wait for the first group.
  messages = queue.tail - (first and first.first or queue.tail) + queue.delayed - expiredDelayed
  for _, amendment in pairs(amendmentsOf('-inf', '+inf') or {}) do
    messages = messages - (amendment.gone and 1 or 0)
  end
  for _, seq in ipairs(expired) do
    local message = isPending(seq) and logMessage(seq)
    if message and message.expires and message.expires <= now then
      messages = messages - 1
    end
  end
end
reply[1] = messages
reply[3] = oldest or -1
return reply
