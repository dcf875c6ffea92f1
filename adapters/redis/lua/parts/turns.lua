-- Lanes take turns: a part of `claim`, in the middle of it.
--
-- Turns go in the order of names, of those that may go. `at`: the lane whose turn it was, or nil: none yet; `left`: how many
-- messages of that turn are left.
local MAX_REST_MS = 60000
local PAGE = 64 -- names that are read at once
local LINE_AT_ONCE = 256
local TURNS_AT_ONCE = 500 -- messages that lanes give to one claim

-- What the rules of this claim say of a lane.
local function limitsOf(lane)
  local rules = asked.rules or {}
  local found = {}
  local function add(limits)
    for _, field in ipairs({ 'concurrency', 'rate', 'weight' }) do
      if found[field] == nil then
        found[field] = limits[field]
      end
    end
  end
  add(rules.names and rules.names[lane] or {})
  for _, entry in ipairs(rules.prefixes or {}) do
    if string.sub(lane, 1, #entry[1]) == entry[1] then
      add(entry[2])
    end
  end
  add(rules)
  return found
end

local visited = {}
-- Somebody has more than this claim can go through: nobody comes before him.
local stopped = false

-- Finds out, once for each claim, what a lane may do.
local function lookAt(flow)
  if flow.limits then
    return
  end
  visited[#visited + 1] = flow
  changeFlow(group, flow.lane)
  flow.limits = limitsOf(flow.lane)
  local rate = flow.limits.rate
  if rate then
    flow.each = rate.perMs / rate.count
    flow.spare = ((rate.burst or rate.count) - 1) * flow.each
    if flow.woken and flow.full then
      -- What another rate charged is forgotten.
      flow.full = math.min(flow.full, now + flow.spare + flow.each)
    end
  end
  flow.woken = false
  flow.heldFor, flow.probes = hindrances(group, flow.lane)
  flow.isOut = #flow.probes > 0 and probeOut(group, flow.probes) ~= nil
end

local function isAtRest(flow)
  return flow.each and flow.full and flow.full - flow.spare > now
end

local function isFullLane(flow)
  return flow.isOut or flow.limits.concurrency and flow.live >= flow.limits.concurrency
end

-- Says how long lanes rest that have nothing to give for their limits.
local function restLanes()
  for _, flow in ipairs(visited) do
    if isAtRest(flow) then
      flow.rest, flow.byLive = math.min(flow.full - flow.spare, now + MAX_REST_MS), false
    elseif isFullLane(flow) then
      flow.rest, flow.byLive = now + MAX_REST_MS, true
    else
      flow.rest, flow.byLive = nil, false
    end
  end
end

local function rangeOf(lane)
  return '[' .. lane .. LANE_END, '(' .. lane .. LANE_END .. '\255'
end

-- The seq of the next message that was not delivered. `share`: how many of them are likely to go.
local function nextInLine(flow, share)
  local line = flow.line
  if not line or flow.place == #line then
    if line then
      doDeferred(group)
    end
    local from, to = rangeOf(flow.lane)
    line = call('ZRANGEBYLEX', keyOf(group, 'line'), from, to, 'LIMIT', 0, math.max(1, math.min(share, LINE_AT_ONCE)))
    if #line == 0 then
      corrupt('a lane')
    end
    flow.line, flow.place = line, 0
  end
  flow.place = flow.place + 1
  return tonumber(string.sub(line[flow.place], -16))
end

-- Leases what of a lane is due again. Answers whether it did: it may have died.
local function takeAgain(flow)
  local from, to = rangeOf(flow.lane)
  local member = call('ZRANGEBYLEX', keyOf(group, 'again'), from, to, 'LIMIT', 0, 1)[1]
  if not member then
    corrupt('a lane')
  end
  local seq = tonumber(string.sub(member, -16))
  local message, side = heldAt(group, seq)
  if not side.lease then
    endWait(group, seq, side)
    return take(message, side.attempt, true, domainOf(message), side.error)
  end
  endLease(group, seq, side)
  row.failed = row.failed + 1
  return take(message, side.attempt, true, domainOf(message), LEASE_LOST)
end

-- Whether a message that has left the line of its lane has to stay behind others of its key. Then it does.
local function staysInLane(message, domain)
  if row.stops and isStopped(group, message) then
    return true
  end
  if isBusy(group, domain) and not isHead(group, domain, message.seq) then
    standBehind(group, message)
    return true
  end
  return false
end

-- Leases the next of a lane that was not delivered. Answers whether it did: it may have died, or stand behind its key, or behind what
-- the group has yet to take over.
local function takeFirst(flow, share)
  local seq = nextInLine(flow, share)
  if row.join and seq > row.join.from then
    flow.isLate = true
    return false
  end
  local message = heldMessage(group, seq)
  if not message then
    corrupt('a message')
  end
  leaveLine(group, flow, seq)
  local domain = domainOf(message)
  if domain and verdict(message, 0) then
    domain = isHead(group, domain, seq) and domain or nil
  elseif domain and staysInLane(message, domain) then
    looked = looked + 1
    blocked = blocked + (taken > 0 and 1 or 0)
    return false
  elseif domain then
    call('HSET', keyOf(group, 'heads'), domain, seqText(seq))
  end
  return take(message, 0, true, domain)
end

-- Leases one message of a lane: what is due again and what was not delivered take turns.
local function takeOne(flow, share)
  while flow.again + flow.ahead > 0 do
    if looked >= PASS_ON or blocked >= PASS then
      stopped = true
      return false
    end
    local isAgain = flow.again > 0 and (flow.ahead == 0 or flow.isLate or flow.last ~= 'again')
    if flow.isLate and not isAgain then
      return false
    end
    local leased
    if isAgain then
      leased = takeAgain(flow)
    else
      leased = takeFirst(flow, share)
    end
    if leased then
      flow.last = isAgain and 'again' or 'first'
      return true
    end
  end
  return false
end

-- Gives a lane its turn. Answers how many messages that was, and whether it may not go any more.
local function giveTurn(flow, most, share)
  local given = 0
  while given < most and room() > 0 do
    if flow.heldFor or isAtRest(flow) or isFullLane(flow) or not takeOne(flow, share) then
      return given, not stopped
    end
    given = given + 1
    if flow.each then
      -- Who has waited for a token is not charged for being served late.
      flow.full = math.max(flow.full or 0, flow.waited and now - flow.each or now) + flow.each
    end
    flow.waited = false
    if #flow.probes > 0 then
      noteProbe(group, flow.probes, lastTaken, nonce)
      flow.isOut = true
    end
  end
  return given, flow.again + flow.ahead == 0
end

-- The stretches of names to go through, from the one after `at` on: from and to, or '' for what is no lane's.
local function roundFrom(at)
  if onlySome then
    local from, to = '[' .. asked.only, '(' .. asked.only .. '\255'
    if at and string.sub(at, 1, #asked.only) == asked.only then
      return { { '(' .. at, to }, { from, '[' .. at } }
    end
    return { { from, to } }
  end
  if not at then
    return { '', { '-', '+' } }
  elseif at == '' then
    return { { '-', '+' }, '' }
  end
  return { { '(' .. at, '+' }, '', { '-', '[' .. at } }
end

local function isReady(lane)
  return call('ZSCORE', keyOf(group, 'ready'), lane)
end

-- Answers with a function that gives the names of lanes that may go, in turn, and nil after one round.
local function namesFrom(at)
  local page, place = {}, 0
  local stretches, number
  if asked.names then
    local scores = #asked.names > 0 and call('ZMSCORE', keyOf(group, 'ready'), unpack(asked.names)) or {}
    for i = 1, #asked.names do
      if scores[i] then
        page[#page + 1] = asked.names[i]
      end
    end
    stretches, number = {}, 1
  else
    stretches, number = roundFrom(at), 1
  end
  return function()
    while place == #page do
      local stretch = stretches[number]
      if not stretch then
        return nil
      end
      if stretch == '' then
        number = number + 1
        return ''
      end
      page, place = call('ZRANGEBYLEX', keyOf(group, 'ready'), stretch[1], stretch[2], 'LIMIT', 0, PAGE), 0
      if #page == 0 then
        number = number + 1
      else
        stretch[1] = '(' .. page[#page]
        loadFlows(group, page)
        if queue.holds then
          readLaneHolds(group, page)
        end
      end
    end
    place = place + 1
    return page[place]
  end
end

local function takeInTurns()
  local turns = onlySome and { at = asked.at, left = asked.left or 0 } or lanesOf(group)
  local isUsed = row.lanes and row.lanes.flows > 0
  local ready = isUsed and math.max(1, call('ZCARD', keyOf(group, 'ready'))) or 1
  local share = math.ceil(room() / ready)

  -- Answers whether the lane may go on.
  local function visit(lane, most)
    local given, over
    if lane == '' then
      local before, hadMore = taken, more
      cap, more = taken + 1, false
      takePlain()
      most, given, over = 1, taken - before, taken == before
      stopped = over and (more or room() > 0 and row.cursor < queue.tail)
      cap, more = math.huge, more or hadMore
    else
      local flow = flowOf(group, lane)
      lookAt(flow)
      most = most or flow.limits.weight or 1
      given, over = giveTurn(flow, most, math.max(share, most))
    end
    if given > 0 then
      turns.at, turns.left = lane, over and 0 or most - given
    else
      looked = looked + 1
    end
    return not over
  end

  local function mayGoOn()
    local isMuch = stopped or looked >= PASS_ON or taken >= TURNS_AT_ONCE
    more = more or isMuch
    return room() > 0 and not isMuch
  end

  if isUsed or not onlySome then
    if turns.at and turns.left > 0 and mayGoOn() and isReady(turns.at) then
      visit(turns.at, turns.left)
    end
    local ring = {}
    local nextName = namesFrom(turns.at)
    while mayGoOn() do
      local lane = nextName()
      if not lane then
        break
      end
      if visit(lane) then
        ring[#ring + 1] = lane
      end
    end
    while #ring > 0 and mayGoOn() do
      local others = {}
      if #ring == 1 and ring[1] == '' then
        if takePlain() then
          turns.at, turns.left = '', 0
        end
      else
        for i = 1, #ring do
          if mayGoOn() and visit(ring[i]) then
            others[#others + 1] = ring[i]
          end
        end
      end
      ring = others
    end
    restLanes()
  end
  if onlySome then
    reply[5] = turns.at and string.format('%.0f.%s', turns.left, turns.at) or 'none'
  end
end

-- Whether lanes have more of what this claim may take.
local function isLeft()
  if not (row.lanes and row.lanes.flows > 0) then
    return false
  end
  if not onlySome then
    return call('ZCARD', keyOf(group, 'ready')) > 0
  end
  return namesFrom()() ~= nil
end
