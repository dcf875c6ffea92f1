-- Settles what the arguments from `at` on say, and answers with one digit for each receipt: 1 settled, 0 stale.
--   a token lease first last    an ack of a stretch of the log
--   then, for one message each, with `l` in the log, `h` outside it, or `d` a dead letter:
--   b token lease seq where     an ack
--   r token lease seq where delay counts error
--   k token lease seq where reason error
--   e token lease seq where ms
local settledWakes = false

local function ackStretch(group, number, first, last, results)
  local seq = first
  while seq <= last do
    local lease, after = leaseAt(group, seq)
    local to = last
    if lease and lease.number == number then
      to = math.min(last, lease.last)
      cutLease(group, lease, seq, to)
      group.row.acked = group.row.acked + to - seq + 1
      if lease.key then
        free(group, lease.key)
        settledWakes = true
      end
      if lease.named then
        for one = seq, to do
          finished[#finished + 1] = identityOf(one)
        end
      end
      results[#results + 1] = string.rep('1', to - seq + 1)
    else
      if lease or after then
        to = math.min(last, lease and lease.last or after.first - 1)
      end
      results[#results + 1] = string.rep('0', to - seq + 1)
    end
    seq = to + 1
  end
end

-- A dead letter's `retry` redrives it, its ack deletes it.
local function settleDead(group, kind, fence, seq, delay)
  local row = call('ZRANGEBYSCORE', keyOf(group, 'dead'), seq, seq)[1]
  local letter = row and cmsgpack.unpack(row)
  if not letter or letter.fence ~= fence or kind == 'k' or kind == 'e' then
    return false
  end
  call('ZREM', keyOf(group, 'dead'), row)
  group.row.dead = group.row.dead - 1
  group.changed = true
  if kind == 'r' then
    local message = letter.message
    -- Whoever redrives a message that expired wants it delivered.
    message.expires = nil
    -- No message has the id, even if it is still known.
    if message.named and call('HEXISTS', base .. 'ids', message.id) == 0 then
      call('HSET', base .. 'ids', message.id, string.format('s%.0f', seq))
      call('ZREM', base .. 'past', message.id)
    end
    enter(group, message, now + delay)
  end
  return true
end

-- Settles one message under a lease, in the log or outside it.
local function settleOne(group, kind, number, seq, where, at)
  local row = group.row
  local lease, side, attempt, message
  if where == 'h' then
    side = sideOf(group, seq)
    if not side or side.lease ~= number then
      return false
    end
    attempt = side.attempt
  else
    lease = leaseAt(group, seq)
    if not lease or lease.number ~= number then
      return false
    end
    attempt = lease.attempt
  end
  if kind == 'e' then
    local ends = now + tonumber(ARGV[at])
    if side then
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
  message = side and heldMessage(group, seq) or logMessage(seq)
  if kind == 'r' then
    local due = now + tonumber(ARGV[at])
    if not message.expires or message.expires > due then
      local counts = ARGV[at + 1] == '1'
      if side then
        call('ZREM', keyOf(group, 'ends'), seqText(seq))
        row.leased = row.leased - 1
      else
        cutLease(group, lease, seq, seq)
        putHeld(group, message)
      end
      if counts then
        row.failed = row.failed + 1
      end
      local reported = ARGV[at + 2] ~= '' and ARGV[at + 2] or nil
      wait(group, seq, { at = due, attempt = counts and attempt or attempt - 1, error = reported })
      return true
    end
  end
  remove(group, side and { kind = 'held' } or { kind = 'leased', lease = lease }, seq, message.key)
  if kind == 'b' then
    row.acked = row.acked + 1
    done(group, message)
  else
    local reported = kind == 'k' and ARGV[at + 1] or ARGV[at + 2]
    bury(group, message, attempt, kind == 'k' and ARGV[at] or 'expired', reported ~= '' and reported or nil)
  end
  return true
end

local OPERANDS = { a = 5, b = 5, r = 8, k = 7, e = 6 }

local function settleAll(group, at)
  local results = {}
  while at <= #ARGV do
    local kind, token, number, seq = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local isOurs = group and group.row.token == token
    if kind == 'a' then
      local last = tonumber(ARGV[at + 4])
      if isOurs then
        ackStretch(group, number, seq, last, results)
      else
        results[#results + 1] = string.rep('0', last - seq + 1)
      end
    else
      local where = ARGV[at + 4]
      local settled = isOurs
        and (
          where == 'd' and settleDead(group, kind, number, seq, tonumber(ARGV[at + 5]))
          or where ~= 'd' and settleOne(group, kind, number, seq, where, at + 5)
        )
      settledWakes = settledWakes or (settled and kind ~= 'e')
      results[#results + 1] = settled and '1' or '0'
    end
    at = at + OPERANDS[kind]
  end
  return table.concat(results)
end
