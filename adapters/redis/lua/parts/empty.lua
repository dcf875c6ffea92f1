-- Keys of a queue, and those of them that nothing but messages have.
local MESSAGE_KEYS = { 'log', 'amend', 'gone', 'expiry', 'reaps', 'timers', 'delayed', 'lapse', 'early', 'earlyreap' }
local OTHER_KEYS = { 'state', 'ids', 'olds', 'past', 'holds', 'places', 'over' }

local function unlinkAll(kinds)
  for _, kind in ipairs(kinds) do
    call('UNLINK', base .. kind)
  end
end

-- Reads all rows. `false`: they cannot be read.
local function readAll()
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
  return isReadable
end

-- Deletes all messages, those of groups too, whose rows must not count any more. Ids stay, to be looked through.
local function endMessages()
  unlinkAll(MESSAGE_KEYS)
  for key in pairs(queue.ghosts or {}) do
    call('UNLINK', base .. key)
  end
  for _, field in ipairs({ 'delayed', 'later', 'amended', 'gone', 'reaps', 'joining', 'late' }) do
    queue[field] = 0
  end
  for _, field in ipairs({ 'timer', 'behind', 'ghosts', 'untidy', 'early', 'earlyBytes' }) do
    queue[field] = nil
  end
  queueChanged = true
  for kind, type in pairs({ ids = 'hash', olds = 'hash', past = 'zset' }) do
    if call('TYPE', base .. kind).ok ~= type then
      call('UNLINK', base .. kind)
    end
  end
  cutIds()
end

-- Deletes a queue whose rows cannot be read: the keys that the arguments from `at` on name.
local function endUnread(at)
  if #ARGV < at then
    return 2
  end
  for i = at, #ARGV do
    call('UNLINK', base .. ARGV[i])
  end
  redis.pcall('PUBLISH', base .. 'changed', 'wake')
  return 0
end
