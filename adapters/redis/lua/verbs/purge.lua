-- purge: clock.
--@flags allow-oom
--@include rows log group
open()
for _, group in pairs(allGroups()) do
  local row = newRow(group.row.token, queue.tail)
  for _, kept in ipairs({ 'lease', 'acked', 'failed', 'latest' }) do
    row[kept] = group.row[kept]
  end
  unlinkGroup(group)
  group.row = row
  group.changed = true
end
for _, kind in ipairs({ 'log', 'amend', 'timers', 'delayed', 'expiry', 'ids', 'past' }) do
  call('UNLINK', base .. kind)
end
queue.delayed = 0
queue.amended = 0
queue.timer = nil
queue.reap = nil
queueChanged = true
finish(true)
