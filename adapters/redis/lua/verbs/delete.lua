-- delete: number and clock, keys to delete if the rows cannot be read. Answers as purge does.
--@flags allow-oom
--@include rows log leases places moves group empty
if not readAll() then
  return endUnread(2)
end
queue.joining = 0
for _, group in pairs(groups) do
  group.row.join = nil
  unlinkGroup(group)
end
for key in pairs(queue.ghosts or {}) do
  call('UNLINK', base .. key)
end
unlinkAll(MESSAGE_KEYS)
unlinkAll(OTHER_KEYS)
redis.pcall('PUBLISH', base .. 'changed', 'wake')
return 0
