-- purge: number and clock, what the new tokens of groups start with, keys to delete if the rows cannot be read. Answers with 0; 1: there
-- is more to do, see tidy; 2: the rows cannot be read, and only the names of keys tell what groups have, so nothing was done.
--@flags allow-oom
--@include rows log leases places moves ids group empty
--@lazily lanes
if not readAll() then
  -- Nobody can tell what is right of it: the queue starts anew, without groups.
  return endUnread(3)
end
local count = 0
local old = groups
queue.joining = 0
for _, group in pairs(old) do
  local row = newRow(ARGV[2] .. count, queue.tail, queue.bytes)
  count = count + 1
  for _, kept in ipairs({ 'acked', 'failed', 'latest', 'deadFor', 'parksNext', 'born', 'served' }) do
    row[kept] = group.row[kept]
  end
  local lanes = group.row.lanes
  if lanes then
    row.lanes = { flows = 0, ahead = 0, again = 0, lost = 0, at = lanes.at, left = lanes.left }
  end
  group.row.join = nil
  unlinkGroup(group)
  group.row = row
  group.changed = true
end
endMessages()
if queue.scan then
  cleanIds(IDS_AT_ONCE)
end
finish(true)
return queue.scan and 1 or 0
