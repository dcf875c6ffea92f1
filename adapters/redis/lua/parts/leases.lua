-- Leases of a group.
--
-- The sorted set `leases:<group>`: leases on stretches of the log, by the last seq of each; those on messages with an
-- ordering key stand alone. `bytes`: what the log had before it, about. The sorted set `ends:<group>`: the same by when they
-- end, and, as seqs, the leases on messages outside the log, which `side` describes.
local function packLease(lease)
  return cmsgpack.pack({
    lease.first,
    lease.last,
    lease.ends,
    lease.number,
    lease.attempt,
    lease.named or false,
    lease.key or false,
    lease.bytes,
  })
end

local function toLease(member)
  local parts = trust(cmsgpack.unpack(member), { 1, 2, 3, 4, 5, 8 })
  if parts[1] > parts[2] or parts[2] >= queue.tail then
    corrupt('a lease')
  end
  return {
    member = member,
    first = parts[1],
    last = parts[2],
    ends = parts[3],
    number = parts[4],
    attempt = parts[5],
    named = parts[6],
    key = parts[7] or nil,
    bytes = parts[8],
  }
end

-- The lease on `seq`, or else the next lease behind it.
local function leaseAt(group, seq)
  local member = call('ZRANGEBYSCORE', keyOf(group, 'leases'), seq, '+inf', 'LIMIT', 0, 1)[1]
  if not member then
    return nil, nil
  end
  local lease = toLease(member)
  if lease.last < seq then
    corrupt('a lease')
  end
  if lease.first <= seq then
    return lease, nil
  end
  return nil, lease
end

local function addLease(group, lease)
  local member = packLease(lease)
  call('ZADD', keyOf(group, 'leases'), lease.last, member)
  call('ZADD', keyOf(group, 'ends'), lease.ends, member)
  group.row.leased = group.row.leased + lease.last - lease.first + 1
  group.changed = true
end

local function dropLease(group, lease)
  call('ZREM', keyOf(group, 'leases'), lease.member)
  call('ZREM', keyOf(group, 'ends'), lease.member)
  group.row.leased = group.row.leased - (lease.last - lease.first + 1)
  group.changed = true
end

local function partOf(lease, first, last)
  return {
    first = first,
    last = last,
    ends = lease.ends,
    number = lease.number,
    attempt = lease.attempt,
    named = lease.named,
    key = lease.key,
    bytes = lease.bytes,
  }
end

-- Takes the messages from `first` to `last` out of a lease.
local function cutLease(group, lease, first, last)
  dropLease(group, lease)
  if first > lease.first then
    addLease(group, partOf(lease, lease.first, first - 1))
  end
  if last < lease.last then
    addLease(group, partOf(lease, last + 1, lease.last))
  end
end
