-- purge: clock.
--@flags allow-oom
--@include rows log group
local isReadable, problem = pcall(function()
  open()
  allGroups()
end)
if not isReadable then
  -- What a command is refused for, with a code, says nothing of the rows, unless the key has another type.
  local text = type(problem) == 'table' and problem.err or problem
  local code = string.match(text, '^%-?(%u%u+) ')
  if code and code ~= 'WRONGTYPE' then
    error(problem)
  end
end
if isReadable then
  for _, group in pairs(groups) do
    local row = newRow(group.row.token, queue.tail)
    for _, kept in ipairs({ 'lease', 'acked', 'failed', 'latest' }) do
      row[kept] = group.row[kept]
    end
    unlinkGroup(group)
    group.row = row
    group.changed = true
  end
else
  -- Nobody can tell what is right of it: the queue starts anew, without groups.
  for _, field in ipairs(redis.pcall('HGETALL', state)) do
    unlinkGroup({ name = string.match(field, '^group:(.*)$') or '' })
  end
  call('UNLINK', state)
end
for _, kind in ipairs({ 'log', 'amend', 'timers', 'delayed', 'expiry', 'ids', 'past' }) do
  call('UNLINK', base .. kind)
end
if isReadable then
  queue.delayed = 0
  queue.amended = 0
  queue.timer = nil
  queue.reap = nil
  queueChanged = true
  finish(true)
end
