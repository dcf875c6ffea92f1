-- Lanes of a group. Messages of lanes never are in the log: each group that has to do with one holds it, see places.lua, under
-- a seq from LANE_BASE on. Keys end with the token of the group; members of those that are in lexicographic order begin with
-- the lane and a byte that is in no name.
--
-- The sorted set `line:<group>`: seqs that were not delivered, in order.
-- The sorted set `again:<group>`: times and seqs of what is due again: retries, and leases that have ended.
-- The sorted sets `rests:<group>` and `lends:<group>`: seqs that wait for their retry, or are leased, by when that is over. What
-- is over moves to `again` once, so that a lane that may not go costs nothing.
-- The hash `flows:<group>`: a row for each lane that has something, and the sorted set `lanes:<group>`: the names of these.
--   size    messages that the group has not done; of these
--   live    leased, `ahead` in `line`, and `again` in `again`
--   full    when its bucket is full again
--   rest    not before this time, because there is no token, or (`byLive`) no room for another lease
--   wake    when its row in `wake` is due
--   ready   it has a row in `ready`
--   woken   time has ended its rest, `waited`: with something ready; `last`: what it gave last, see turns.lua
-- The sorted set `ready:<group>`: lanes that may go.
-- The sorted set `wake:<group>`: lanes that rest, by when to look at them.
--
-- The sorted set `early`: messages that were sent before any group existed; `earlyreap`: seqs of those that expire.
local LANE_BASE = 2 ^ 48
local LANE_END = '\255'

local function lanesOf(group)
  local row = group.row
  if not row.lanes then
    -- Whose turn it was, as long as nobody had a lane.
    row.lanes = { flows = 0, ahead = 0, again = 0, lost = 0, at = row.served and '' or nil, left = 0 }
  end
  return row.lanes
end

local function packFlow(flow)
  return cmsgpack.pack(flow.size, flow.live, flow.ahead, flow.again, flow.full or false, flow.rest or false, flow.wake or false, flow.byLive or false, flow.ready or false, flow.woken or false, flow.waited or false, flow.last or false)
end

local function unpackFlow(packed)
  local size, live, ahead, again, full, rest, wake, byLive, ready, woken, waited, last = cmsgpack.unpack(packed)
  if not (isNumber(size) and isNumber(live) and isNumber(ahead) and isNumber(again)) then
    corrupt('a lane')
  end
  return { size = size, live = live, ahead = ahead, again = again, full = full or nil, rest = rest or nil, wake = wake or nil, byLive = byLive, ready = ready, woken = woken, waited = waited, last = last or nil }
end

-- Reads the rows of some lanes.
local function loadFlows(group, names)
  group.flows = group.flows or {}
  local wanted = {}
  for i = 1, #names do
    if not group.flows[names[i]] then
      wanted[#wanted + 1] = names[i]
    end
  end
  for from = 1, #wanted, 1000 do
    local to = math.min(#wanted, from + 999)
    local rows = call('HMGET', keyOf(group, 'flows'), unpack(wanted, from, to))
    for i = from, to do
      local packed = rows[i - from + 1]
      local flow = packed and unpackFlow(packed) or { size = 0, live = 0, ahead = 0, again = 0, isNew = true }
      flow.lane = wanted[i]
      group.flows[wanted[i]] = flow
    end
  end
end

local function flowOf(group, lane)
  if not (group.flows and group.flows[lane]) then
    loadFlows(group, { lane })
  end
  return group.flows[lane]
end

-- The row of a lane that will be written.
local function changeFlow(group, lane)
  local flow = flowOf(group, lane)
  if not group.changedFlows then
    group.changedFlows = {}
  end
  group.changedFlows[lane] = flow
  group.changed = true
  flowsChanged = true
  return flow
end

-- A lease of the lane is over: where it rested for that, it may go again.
local function endLive(flow)
  flow.live = flow.live - 1
  if flow.byLive then
    flow.rest, flow.byLive = nil, false
  end
end

local function changeMany(command, key, arguments, step)
  for from = 1, #arguments, step do
    call(command, key, unpack(arguments, from, math.min(#arguments, from + step - 1)))
  end
end

-- Writes the rows of lanes that changed, and says which may go, and when to look at those that rest.
local function finishFlows()
  flowsChanged = false
  for _, group in pairs(groups) do
    doDeferred(group)
    local changed = group.changedFlows
    if changed then
      group.changedFlows = nil
      local lanes = lanesOf(group)
      local held = queue.holds and heldLanes(group, changed) or {}
      local rows, over, named, readied, rested, woken = {}, {}, {}, {}, {}, {}
      for lane, flow in pairs(changed) do
        if flow.size == 0 and not (flow.full and flow.full > now) then
          if not flow.isNew then
            over[#over + 1] = lane
            lanes.flows = lanes.flows - 1
            if flow.ready then
              rested[#rested + 1] = lane
            end
            if flow.wake then
              call('ZREM', keyOf(group, 'wake'), lane)
            end
          end
          group.flows[lane] = nil
        else
          local hasSomething = flow.ahead + flow.again > 0
          local rests = flow.rest and flow.rest > now
          local ready = hasSomething and not rests and not held[lane]
          if ready and not flow.ready then
            readied[#readied + 1] = 0
            readied[#readied + 1] = lane
          elseif flow.ready and not ready then
            rested[#rested + 1] = lane
          end
          flow.ready = ready
          flow.waited = hasSomething and (flow.waited or rests and not flow.byLive)
          local alarm = hasSomething and rests and flow.rest or flow.size == 0 and flow.full
          if alarm and not (flow.wake and flow.wake <= alarm) then
            flow.wake = alarm
            woken[#woken + 1] = alarm
            woken[#woken + 1] = lane
          end
          if flow.isNew then
            flow.isNew = nil
            lanes.flows = lanes.flows + 1
            named[#named + 1] = 0
            named[#named + 1] = lane
          end
          rows[#rows + 1] = lane
          rows[#rows + 1] = packFlow(flow)
        end
      end
      changeMany('HSET', keyOf(group, 'flows'), rows, 1000)
      changeMany('HDEL', keyOf(group, 'flows'), over, 1000)
      changeMany('ZREM', keyOf(group, 'lanes'), over, 1000)
      changeMany('ZADD', keyOf(group, 'lanes'), named, 1000)
      changeMany('ZADD', keyOf(group, 'ready'), readied, 1000)
      changeMany('ZREM', keyOf(group, 'ready'), rested, 1000)
      changeMany('ZADD', keyOf(group, 'wake'), woken, 1000)
    end
  end
end

local function againOf(lane, at, seq)
  return lane .. LANE_END .. seqText(at) .. seqText(seq)
end

-- Has a message of a lane wait for its time, which may have come.
local function waitInLane(group, seq, side)
  local flow = changeFlow(group, side.lane)
  if side.at <= now then
    call('ZADD', keyOf(group, 'again'), 0, againOf(side.lane, side.at, seq))
    flow.again = flow.again + 1
    lanesOf(group).again = lanesOf(group).again + 1
  else
    call('ZADD', keyOf(group, 'rests'), side.at, seqText(seq))
  end
end

-- Writes that need not be done one after the other: how each kind is written, to the key of that name.
local DEFERRED = { side = 'HSET', lends = 'ZADD', line = 'ZREM', unside = 'HDEL', unlends = 'ZREM' }

local function defer(group, kind, one, two)
  group.deferred = group.deferred or {}
  local list = group.deferred[kind]
  if not list then
    list = {}
    group.deferred[kind] = list
  end
  list[#list + 1] = one
  if two then
    list[#list + 1] = two
  end
  flowsChanged = true
end

local function doDeferred(group)
  local lists = group.deferred
  if lists then
    group.deferred = nil
    for kind, list in pairs(lists) do
      changeMany(DEFERRED[kind], keyOf(group, string.match(kind, '^un(.*)$') or kind), list, 1000)
    end
  end
end

-- The end of its wait.
local function endWaitInLane(group, seq, side)
  local flow = changeFlow(group, side.lane)
  if call('ZREM', keyOf(group, 'rests'), seqText(seq)) == 0 then
    call('ZREM', keyOf(group, 'again'), againOf(side.lane, side.at, seq))
    flow.again = flow.again - 1
    lanesOf(group).again = lanesOf(group).again - 1
  end
end

-- The end of a lease, or of what is left of one that has ended.
local function endLeaseInLane(group, seq, side)
  local flow = changeFlow(group, side.lane)
  if call('ZREM', keyOf(group, 'lends'), seqText(seq)) == 0 then
    call('ZREM', keyOf(group, 'again'), againOf(side.lane, side.at, seq))
    flow.again = flow.again - 1
    lanesOf(group).lost = lanesOf(group).lost - 1
  else
    endLive(flow)
  end
end

-- A lease of a message of a lane begins (`isNew`), or goes on, perhaps after it had ended.
local function leaseInLane(group, seq, side, ends, isNew)
  local flow = changeFlow(group, side.lane)
  flow.live = flow.live + 1
  side.at = ends
  if isNew then
    defer(group, 'side', seqText(seq), cmsgpack.pack(side))
    defer(group, 'lends', ends, seqText(seq))
  else
    putSide(group, seq, side)
    call('ZADD', keyOf(group, 'lends'), ends, seqText(seq))
  end
end

local function leaveLine(group, flow, seq)
  defer(group, 'line', flow.lane .. LANE_END .. seqText(seq))
  flow.ahead = flow.ahead - 1
  lanesOf(group).ahead = lanesOf(group).ahead - 1
end

-- The key of a message is free: it is the head of it now.
local function returnToLine(group, seq, lane)
  doDeferred(group)
  local flow = changeFlow(group, lane)
  call('HDEL', keyOf(group, 'side'), seqText(seq))
  call('ZADD', keyOf(group, 'line'), 0, lane .. LANE_END .. seqText(seq))
  flow.ahead = flow.ahead + 1
  -- What was read of the line may begin behind it.
  flow.line = nil
  lanesOf(group).ahead = lanesOf(group).ahead + 1
end

-- What messages are in `held` and in `line`, as arguments: the same for every group.
local function entriesOf(messages)
  local entries = { held = {}, line = {}, names = {}, bytes = 0 }
  local held, line, names = entries.held, entries.line, entries.names
  for i = 1, #messages do
    local message = messages[i]
    local seq, lane = message.seq, message.lane
    held[2 * i - 1], held[2 * i] = seq, cmsgpack.pack(message)
    line[2 * i - 1], line[2 * i] = 0, lane .. LANE_END .. seqText(seq)
    names[i] = lane
    entries.bytes = entries.bytes + #message.record
    entries.expires = entries.expires or message.expires
  end
  return entries
end

-- Puts messages at the end of their lanes. `entries`: what they are there, if that is known.
local function enterLanes(group, messages, entries)
  if #messages == 0 then
    return
  end
  entries = entries or entriesOf(messages)
  loadFlows(group, entries.names)
  for i = 1, #messages do
    local flow = changeFlow(group, entries.names[i])
    flow.size = flow.size + 1
    flow.ahead = flow.ahead + 1
  end
  for i = 1, entries.expires and #messages or 0 do
    noteReap(group, messages[i])
  end
  changeMany('ZADD', keyOf(group, 'held'), entries.held, 1000)
  changeMany('ZADD', keyOf(group, 'line'), entries.line, 1000)
  local lanes = lanesOf(group)
  lanes.ahead = lanes.ahead + #messages
  group.row.outside = group.row.outside + entries.bytes
  group.changed = true
end

-- Puts messages into their lanes in all groups, or aside until there is one. `isFor`: says which group gets which, if not all do.
local function sendToLanes(messages, isFor)
  if #messages == 0 then
    return
  end
  queue.laned = true
  queueChanged = true
  if queue.groups == 0 then
    local entries = entriesOf(messages)
    changeMany('ZADD', base .. 'early', entries.held, 1000)
    for i = 1, entries.expires and #messages or 0 do
      local message = messages[i]
      if message.expires then
        call('ZADD', base .. 'earlyreap', message.expires, seqText(message.seq))
      end
    end
    queue.early = (queue.early or 0) + #messages
    queue.earlyBytes = (queue.earlyBytes or 0) + entries.bytes
    return
  end
  local entries = entriesOf(messages)
  for _, group in pairs(allGroups()) do
    if isFor and group.row.since then
      local own = {}
      for i = 1, #messages do
        if isFor(group, i) then
          own[#own + 1] = messages[i]
        end
      end
      enterLanes(group, own)
    else
      enterLanes(group, messages, entries)
    end
  end
end

-- What was sent to a lane before any group existed.
local function earlyMessage(seq)
  return messageBy(base .. 'early', seq)
end

local function dropEarly(message)
  call('ZREMRANGEBYSCORE', base .. 'early', message.seq, message.seq)
  if message.expires then
    call('ZREM', base .. 'earlyreap', seqText(message.seq))
  end
  queue.early = queue.early - 1
  queue.earlyBytes = queue.earlyBytes - #message.record
  queueChanged = true
end

-- What alarms of one kind one claim works off. The rest is left to the next.
local ALARMS_AT_ONCE = 256

-- Looks at what is over in the lanes of a group. Answers whether there is more.
local function wakeLanes(group)
  local most = ALARMS_AT_ONCE
  local more = false
  local function sweep(kind, each)
    local key = keyOf(group, kind)
    local members = call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
    if #members == 0 then
      return
    end
    local seqs = {}
    for i = 1, #members, 2 do
      seqs[#seqs + 1] = members[i]
    end
    call('ZREM', key, unpack(seqs))
    each(seqs, members)
    more = more or #seqs == most
  end
  local function toAgain(seqs, members, note)
    local sides = call('HMGET', keyOf(group, 'side'), unpack(seqs))
    local names, again = {}, {}
    for i = 1, #seqs do
      local side = sides[i] and cmsgpack.unpack(sides[i])
      if not (side and side.lane) then
        corrupt('a message')
      end
      sides[i] = side
      names[i] = side.lane
    end
    loadFlows(group, names)
    for i = 1, #seqs do
      local side = sides[i]
      local flow = changeFlow(group, side.lane)
      again[#again + 1] = 0
      again[#again + 1] = againOf(side.lane, side.at, tonumber(seqs[i]))
      flow.again = flow.again + 1
      note(flow, seqs[i], side)
    end
    call('ZADD', keyOf(group, 'again'), unpack(again))
  end
  sweep('rests', function(seqs, members)
    toAgain(seqs, members, function()
      lanesOf(group).again = lanesOf(group).again + 1
    end)
  end)
  sweep('lends', function(seqs, members)
    toAgain(seqs, members, function(flow, seq, side)
      endLive(flow)
      lanesOf(group).lost = lanesOf(group).lost + 1
      if side.expires then
        call('ZADD', keyOf(group, 'reap'), side.expires, seq)
        reapAt(side.expires)
      end
    end)
  end)
  sweep('wake', function(names)
    loadFlows(group, names)
    for i = 1, #names do
      local flow = changeFlow(group, names[i])
      flow.wake = nil
      if flow.rest and flow.rest <= now then
        flow.rest, flow.byLive = nil, false
        flow.woken = true
      end
    end
  end)
  return more
end
