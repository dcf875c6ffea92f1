-- resume: number and clock, group or '' for all, what the messages carry from now on as a segment of one or '', their own attempts or
-- '', how long until they expire or '', ids. Answers with one digit for each.
--@flags allow-oom
--@include rows log store leases places moves ids find parked
--@lazily lanes holds
local only, blob, max, expiresIn = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
open()

local function edit(group, message)
  -- Groups that have yet to take it over get it as it was.
  if queue.joining > 0 then
    handOver(group, message)
  end
  local seq, old = message.seq, message.record
  message.record, message.max, message.at = recordAt({ blob = blob, count = 1 }, 1), max, clock
  if expiresIn then
    message.expires = now + expiresIn
    noteReap(group, message)
  end
  call('ZREMRANGEBYSCORE', keyOf(group, 'held'), seq, seq)
  call('ZADD', keyOf(group, 'held'), seq, cmsgpack.pack(message))
  group.row.outside = group.row.outside + #message.record - #old
end

-- All of an id, or with an edit the last. Answers whether there was one.
local function resumeIn(group, id, found)
  local resumed = false
  for _, seq in ipairs(parkedOf(group, id, found)) do
    local place = locate(group, seq)
    local message = place and place.kind == 'parked' and heldMessage(group, seq)
    if message and not (message.expires and message.expires <= now) then
      if blob ~= '' then
        edit(group, message)
      end
      unpark(group, message)
      resumed = true
      if blob ~= '' then
        break
      end
    end
  end
  return resumed
end

local results = {}
for i = 6, #ARGV do
  local found = find(ARGV[i])
  local digit = '0'
  for name, group in pairs(allGroups()) do
    if (only == '' or name == only) and resumeIn(group, ARGV[i], found and found.seq) then
      digit = '1'
    end
  end
  results[#results + 1] = digit
end
finish(true)
return table.concat(results)
