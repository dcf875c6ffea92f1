-- Settles what the arguments from `at` on say, and answers with one digit for each receipt: 1 settled, 0 stale.
--   a token lease first last    an ack of a stretch of the log
--   v token lease first last values    the same, with a value for each, or ''
--   then, for one message each, with `l` in the log, `h` outside it (as far as the receipt knows), or `d` a dead letter:
--   b token lease seq where value    an ack
--   r token lease seq where delay counts error
--   k token lease seq where reason error deadFor parksNext
--   p token lease seq where reason data
--   e token lease seq where ms progress
local settledWakes = false

-- How many arguments each has.
local OPERANDS = { a = 5, v = 5, b = 6, r = 8, k = 9, p = 7, e = 7 }

-- A dead letter's `retry` redrives it, its ack deletes it.
local function settleDead(group, kind, fence, seq, delay)
  local letter, row = letterAt(group, seq)
  if not letter or letter.fence ~= fence or kind ~= 'r' and kind ~= 'b' then
    return false
  end
  dropLetter(group, row)
  if kind == 'r' then
    local message = letter.message
    if message.keep and group.row.kept then
      dropOutcome(group, seq)
    end
    -- Whoever redrives a message that expired wants it delivered.
    message.expires = nil
    skipJoining(message)
    if group.row.parked and message.key then
      letGo(group, message)
    end
    -- It gets its id back if no message has that, even if it is still known.
    if message.named then
      local ids = base .. 'ids'
      call('HSETNX', ids, message.id, idRow('s', seq, message.named))
      if readId(call('HGET', ids, message.id)).seq ~= seq then
        message.keep = nil
        noteOld(seq, message.id, message.named)
      end
    end
    enter(group, message, now + delay)
  end
  return true
end

-- Has a leased message be one of `held` that nobody has.
local function intoHeld(group, side, lease, message)
  local row, seq = group.row, message.seq
  if row.running then
    dropProgress(group, seq)
  end
  if side then
    endLease(group, seq, side)
  else
    cutLease(group, lease, seq, seq)
    putHeld(group, message)
  end
end

-- Whether the lease that the receipt is of goes on.
local function isLeased(group, receipt)
  local row = group.row
  local token, number, seq = string.match(receipt, '^(%w+)%.(%d+)%.(%d+)[lh]$')
  number, seq = tonumber(number), tonumber(seq)
  if token ~= row.token then
    return false
  end
  local side = row.out > 0 and sideOf(group, seq)
  if side and side.lease == number then
    return side.at > now
  end
  local lease = row.leased > row.out and leaseAt(group, seq)
  return lease and lease.number == number and lease.ends > now
end

-- An argument that may not be there.
local function optional(at)
  return at and ARGV[at] ~= '' and ARGV[at] or nil
end

-- Settles one message under a lease, in the log or outside it: it may have left the log since it was claimed. `at`: where the
-- arguments are.
local function settleOne(group, kind, number, seq, at)
  local row = group.row
  local side = row.out > 0 and sideOf(group, seq)
  local lease
  if not side or side.lease ~= number then
    side = nil
    lease = row.leased > row.out and leaseAt(group, seq)
    if not lease or lease.number ~= number then
      return false
    end
  end
  local attempt = (side or lease).attempt
  if kind == 'e' then
    local ends = now + tonumber(ARGV[at])
    local progress = optional(at + 1)
    if progress then
      noteProgress(group, side and heldMessage(group, seq) or logMessage(seq), number, progress)
    end
    if side and side.lane then
      endLeaseInLane(group, seq, side)
      leaseInLane(group, seq, side, ends)
      if side.expires then
        call('ZREM', keyOf(group, 'reap'), seqText(seq))
      end
    elseif side then
      call('ZADD', keyOf(group, 'ends'), ends, seqText(seq))
      side.at = ends
      putSide(group, seq, side)
    else
      cutLease(group, lease, seq, seq)
      local extended = partOf(lease, seq, seq)
      extended.ends = ends
      addLease(group, extended)
    end
    group.changed = true
    return true
  end
  local message = side and heldMessage(group, seq) or logMessage(seq)
  if kind == 'r' then
    local due = now + tonumber(ARGV[at])
    if not message.expires or message.expires > due then
      local counts = ARGV[at + 1] == '1'
      intoHeld(group, side, lease, message)
      noteReap(group, message)
      if counts then
        row.failed = row.failed + 1
      end
      wait(group, seq, { at = due, attempt = counts and attempt or attempt - 1, error = optional(at + 2), lane = message.lane })
      return true
    end
  elseif kind == 'p' and (not message.expires or message.expires > now) then
    intoHeld(group, side, lease, message)
    park(group, message, { attempt = attempt, parked = { reason = ARGV[at], data = optional(at + 1), at = clock } })
    return true
  end
  -- What is settled otherwise has expired, as for the last claim.
  local parksNext = row.parksNext
  if kind == 'k' then
    parksNext = ARGV[at + 3] == '1'
  end
  if parksNext and kind ~= 'b' and message.key then
    stopBehind(group, message)
  end
  remove(group, side and { kind = 'held', side = side } or { kind = 'leased', lease = lease }, message)
  if kind ~= 'b' then
    row.failed = row.failed + 1
  end
  if kind == 'b' then
    if queue.holds then
      freeProbed(group, message.lane, number, seq, seq)
    end
    row.acked = row.acked + 1
    if message.keep then
      conclude(group, message, attempt, { status = 'done', value = optional(at) })
    end
    done(message)
  elseif kind == 'k' then
    bury(group, message, attempt, ARGV[at], optional(at + 1), tonumber(ARGV[at + 2]))
  else
    bury(group, message, attempt, 'expired', kind == 'p' and ARGV[at] or optional(at + 2))
  end
  return true
end

-- `values`: where the argument is that would be the value of the message 0.
local function ackStretch(group, number, first, last, results, values)
  local seq = first
  while seq <= last do
    local lease, after = leaseAt(group, seq)
    local to = last
    if lease and lease.number == number then
      to = math.min(last, lease.last)
      cutLease(group, lease, seq, to)
      if queue.holds and freeProbed(group, nil, number, seq, to) then
        settledWakes = true
      end
      group.row.acked = group.row.acked + to - seq + 1
      if lease.key then
        free(group, lease.key)
        settledWakes = true
      end
      if lease.named then
        for one = seq, to do
          local message = identityOf(one)
          if message then
            if message.keep then
              conclude(group, message, lease.attempt, { status = 'done', value = optional(values and values + one) })
            end
            done(message)
          end
        end
      end
      results[#results + 1] = string.rep('1', to - seq + 1)
    else
      if lease or after then
        to = math.min(last, lease and lease.last or after.first - 1)
      end
      if group.row.out > 0 then
        for one = seq, to do
          local settled = settleOne(group, 'b', number, one, values and values + one)
          settledWakes = settledWakes or settled
          results[#results + 1] = settled and '1' or '0'
        end
      else
        results[#results + 1] = string.rep('0', to - seq + 1)
      end
    end
    seq = to + 1
  end
end

-- Acks of messages of lanes that one command reads.
local ACKS_AT_ONCE = 1000

-- Acks of messages of lanes from `at` on. Answers where the arguments go on.
local function ackInLanes(group, at, results)
  local token, row = group.row.token, group.row
  local numbers, seqs, members, values, names = {}, {}, {}, {}, {}
  while #seqs < ACKS_AT_ONCE and ARGV[at] == 'b' and ARGV[at + 1] == token do
    local seq = tonumber(ARGV[at + 3])
    if seq < LANE_BASE or ARGV[at + 4] == 'd' then
      break
    end
    numbers[#numbers + 1] = tonumber(ARGV[at + 2])
    seqs[#seqs + 1] = seq
    members[#members + 1] = seqText(seq)
    values[#values + 1] = at + 5
    at = at + OPERANDS.b
  end
  local sides, met = call('HMGET', keyOf(group, 'side'), unpack(members)), {}
  for i = 1, #seqs do
    if sides[i] then
      sides[i] = cmsgpack.unpack(sides[i])
      names[#names + 1] = sides[i].lane
    end
  end
  loadFlows(group, names)
  if queue.holds then
    readLaneHolds(group, names)
  end
  local first, last
  local function forget()
    if first then
      call('ZREMRANGEBYSCORE', keyOf(group, 'held'), first, last)
    end
  end
  for i = 1, #seqs do
    local side, seq, settled = sides[i], seqs[i], false
    if side and side.lease == numbers[i] and not met[seq] then
      met[seq] = true
      settled = true
      if side.size and side.at > now and queue.joining == 0 then
        -- Nothing but this group has to do with it.
        if queue.holds then
          freeProbed(group, side.lane, numbers[i], seq, seq)
        end
        local flow = changeFlow(group, side.lane)
        flow.size = flow.size - 1
        endLive(flow)
        row.outside = row.outside - side.size
        row.leased, row.out, row.acked = row.leased - 1, row.out - 1, row.acked + 1
        defer(group, 'unlends', members[i])
        defer(group, 'unside', members[i])
        if first and seq == last + 1 then
          last = seq
        else
          forget()
          first, last = seq, seq
        end
      else
        settled = settleOne(group, 'b', numbers[i], seq, values[i])
      end
    end
    settledWakes = settledWakes or settled
    results[#results + 1] = settled and '1' or '0'
  end
  forget()
  doDeferred(group)
  return at
end

local function settleAll(group, at)
  local results = {}
  while at <= #ARGV do
    local kind, token, number, seq = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local isOurs = group and group.row.token == token
    local width = OPERANDS[kind]
    if kind == 'b' and isOurs and seq >= LANE_BASE and ARGV[at + 4] ~= 'd' then
      at, width = ackInLanes(group, at, results), 0
    elseif kind == 'a' or kind == 'v' then
      local last = tonumber(ARGV[at + 4])
      local count = last - seq + 1
      if isOurs then
        ackStretch(group, number, seq, last, results, kind == 'v' and at + 5 - seq)
      else
        results[#results + 1] = string.rep('0', count)
      end
      if kind == 'v' then
        at = at + count
      end
    else
      local where = ARGV[at + 4]
      local settled = isOurs
        and (
          where == 'd' and settleDead(group, kind, number, seq, tonumber(ARGV[at + 5]))
          or where ~= 'd' and settleOne(group, kind, number, seq, at + 5)
        )
      settledWakes = settledWakes or (settled and kind ~= 'e')
      results[#results + 1] = settled and '1' or '0'
    end
    at = at + width
  end
  return table.concat(results)
end

-- What the log keeps for a lease at its beginning, in messages and bytes, until the message leaves the log; and how many do
-- so in one step.
local PIN_MESSAGES = 1024
local PIN_BYTES = 1024 * 1024
local UNPIN_AT_ONCE = 128

-- Takes messages out of the log that a lease keeps there while most of what lies behind them is done.
local function unpin(group)
  local row = group.row
  -- The log was trimmed a moment ago.
  if row.cursor - row.trimmed <= PIN_MESSAGES and row.passed - row.cleared <= PIN_BYTES then
    return
  end
  local left, size = UNPIN_AT_ONCE, 0
  while left > 0 and size < PIN_BYTES and row.leased > row.out do
    local first = call('ZRANGE', keyOf(group, 'leases'), 0, 0)[1]
    if not first then
      corrupt('a lease')
    end
    local lease = toLease(first)
    local span = row.cursor - lease.first
    local there = row.leased - row.out
    local over = span - there
    if
      not (span > PIN_MESSAGES and over > there)
      and not (row.passed - lease.bytes > PIN_BYTES and over > there / 8)
    then
      return
    end
    local seq = lease.first
    dropLease(group, lease)
    while seq <= lease.last and left > 0 and size < PIN_BYTES do
      local message = logMessage(seq)
      putHeld(group, message)
      putSide(group, seq, { lease = lease.number, at = lease.ends, attempt = lease.attempt })
      call('ZADD', keyOf(group, 'ends'), lease.ends, seqText(seq))
      row.leased = row.leased + 1
      row.out = row.out + 1
      size = size + #message.record
      left = left - 1
      seq = seq + 1
    end
    if seq <= lease.last then
      addLease(group, partOf(lease, seq, lease.last))
    end
  end
end
