// Made by "npm run lua" of the files in lua/. Not to be edited.

const drop = `local function dropDelayed(number)
local member = seqText(number)
call('ZREM', base .. 'timers', member)
call('HDEL', base .. 'delayed', member)
call('ZREM', base .. 'expiry', 'd' .. member)
queue.delayed = queue.delayed - 1
queueChanged = true
end
local function drop(id, found)
if found.number then
dropDelayed(found.number)
call('HDEL', base .. 'ids', id)
return true
end
local seq = found.seq
local dropped = queue.groups == 0 and isPending(seq)
for _, group in pairs(allGroups()) do
local place = locate(group, seq)
if place then
local key = place.kind ~= 'ahead' and place.kind ~= 'leased' and heldMessage(group, seq).key
remove(group, place, seq, key or nil)
dropped = true
end
end
if not dropped then
return false
end
if segmentAt(seq) then
amend(seq, true)
end
if call('HGET', base .. 'ids', id) == string.format('s%.0f', seq) then
call('HDEL', base .. 'ids', id)
end
return true
end
`

const expire = `local EXPIRED_AT_ONCE = 256
local function expire(seq)
local waiting = {}
for _, group in pairs(allGroups()) do
local place, message = expiredIn(group, seq)
if place then
waiting[#waiting + 1] = { group = group, place = place, message = message }
end
end
local message = segmentAt(seq) and logMessage(seq)
if message and message.expires and message.expires <= now and not isGone(seq) then
amend(seq, true, message)
end
for _, one in ipairs(waiting) do
local side = one.place.side or {}
remove(one.group, one.place, seq, one.message.key)
bury(one.group, one.message, side.attempt or 0, 'expired', side.error)
end
end
local function sweepExpired()
if not queue.reap or queue.reap > now then
return
end
for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'expiry', '-inf', now, 'LIMIT', 0, EXPIRED_AT_ONCE)) do
if string.sub(member, 1, 1) == 'm' then
call('ZREM', base .. 'expiry', member)
expire(tonumber(string.sub(member, 2)))
end
end
call('ZREMRANGEBYSCORE', base .. 'past', '-inf', now)
local expiry = tonumber(call('ZRANGE', base .. 'expiry', 0, 0, 'WITHSCORES')[2])
local past = tonumber(call('ZRANGE', base .. 'past', 0, 0, 'WITHSCORES')[2])
queue.reap = expiry and past and math.min(expiry, past) or expiry or past
queueChanged = true
end
`

const expired = `local function expiredIn(group, seq)
local place = locate(group, seq)
if not place or place.kind == 'leased' or place.kind == 'held' then
return nil
end
local message = messageIn(group, place, seq)
if message and message.expires and message.expires <= now then
return place, message
end
end
`

const find = `local function inLog(number, id)
local segment = segmentAt(number)
return segment and idAt(segment, number - segment.first + 1) == id
end
local function findMade(id)
local digits = #id == 36 and string.match(id, '^%x%x%x%x%x%x%x%x$', 29)
local made = digits and tonumber(digits, 16)
if not made or made % 2 == 1 then
return nil
end
local newest = queue.tail - 1
local seq = newest - (newest - made / 2) % WRAP
if seq < 1 then
return nil
end
if inLog(seq, id) then
return seq
end
for _, group in pairs(allGroups()) do
local message = heldMessage(group, seq)
if message and message.id == id then
return seq
end
end
end
local function find(id)
local row = call('HGET', base .. 'ids', id)
if row then
local number = tonumber(string.sub(row, 2))
return string.sub(row, 1, 1) == 's' and { seq = number } or { number = number }
end
local seq = findMade(id)
return seq and { seq = seq }
end
local function delayedMessage(number)
local row = call('HGET', base .. 'delayed', seqText(number))
return row and cmsgpack.unpack(row)
end
`

const group = `local function newRow(token, cursor)
return {
token = token,
cursor = cursor,
floor = cursor,
trimmed = cursor,
lease = 1,
skipped = 0,
leased = 0,
waiting = 0,
blocked = 0,
dead = 0,
acked = 0,
failed = 0,
latest = 0,
}
end
local GROUP_KEYS = { 'leases', 'ends', 'held', 'side', 'due', 'heads', 'chain', 'dead' }
local function unlinkGroup(group)
for _, kind in ipairs(GROUP_KEYS) do
call('UNLINK', keyOf(group, kind))
end
end
local function imagineGroup(name, token, from)
local first = firstSegment()
local cursor = first and first.first or queue.tail
if from == 'latest' and queue.groups > 0 then
cursor = queue.tail
end
if cursor < queue.tail and queue.groups > 0 then
cursor = math.max(cursor, lowestFloor())
end
local row = newRow(token, cursor)
for _, amendment in pairs(amendmentsOf(cursor, queue.tail) or {}) do
if amendment.gone then
row.skipped = row.skipped + 1
end
end
return { name = name, row = row, changed = false }
end
`

const leases = `local function packLease(lease)
return cmsgpack.pack({
lease.first,
lease.last,
lease.ends,
lease.number,
lease.attempt,
lease.named or false,
lease.key or false,
})
end
local function toLease(member)
local parts = trust(cmsgpack.unpack(member), { 1, 2, 3, 4, 5 })
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
}
end
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
}
end
local function cutLease(group, lease, first, last)
dropLease(group, lease)
if first > lease.first then
addLease(group, partOf(lease, lease.first, first - 1))
end
if last < lease.last then
addLease(group, partOf(lease, last + 1, lease.last))
end
end
`

const log = `local known
local function toSegment(entry)
local fields = entry[2]
local head = trust(cmsgpack.unpack(fields[2]), { 1, 2, 3 })
local segment = {
first = head[1],
last = tonumber(string.match(entry[1], '^%d+')),
at = head[2],
bytes = head[3],
base = head[4],
blob = fields[4],
columns = fields[6] and cmsgpack.unpack(fields[6]),
}
local count = segment.last - segment.first + 1
segment.count = count
local ends = 4 * count
if count < 1 or segment.last >= queue.tail or #segment.blob ~= ends + struct.unpack('<I4', segment.blob, ends - 3) then
corrupt('an entry of the log')
end
return segment
end
local function segmentsFrom(seq, count)
return call('XRANGE', base .. 'log', string.format('%.0f-0', seq), '+', 'COUNT', count)
end
local function segmentAt(seq)
if known and seq >= known.first and seq <= known.last then
return known
end
local entry = segmentsFrom(seq, 1)[1]
if entry then
local segment = toSegment(entry)
if segment.first <= seq then
known = segment
return segment
end
end
end
local function firstSegment()
local entry = call('XRANGE', base .. 'log', '-', '+', 'COUNT', 1)[1]
return entry and toSegment(entry)
end
local function startOf(blob, i)
return i == 1 and 0 or struct.unpack('<I4', blob, 4 * i - 7)
end
local function recordAt(segment, i)
local blob, ends = segment.blob, 4 * segment.count
return string.sub(blob, ends + startOf(blob, i) + 1, ends + startOf(blob, i + 1))
end
local function sizeOf(segment, from, to)
return startOf(segment.blob, to + 1) - startOf(segment.blob, from)
end
local WRAP = 2 ^ 31
local function makeId(start, number, odd)
return start .. string.format('%08x', (number % WRAP) * 2 + odd)
end
local function idAt(segment, i)
local ids = segment.columns and segment.columns.id
return ids and ids[i] or makeId(segment.base, segment.first + i - 1, 0)
end
local function messageAt(segment, i)
local columns = segment.columns
local message = {
seq = segment.first + i - 1,
id = idAt(segment, i),
at = segment.at,
record = recordAt(segment, i),
}
if columns then
message.at = columns.at and columns.at[i] or segment.at
message.key = columns.key and columns.key[i]
message.expires = columns.expires and columns.expires[i]
message.max = columns.max and columns.max[i]
message.named = columns.named and columns.named[i]
end
return message
end
local function amendmentOf(seq)
if queue.amended > 0 then
local row = call('ZRANGEBYSCORE', base .. 'amend', seq, seq)[1]
return row and cmsgpack.unpack(row)
end
end
local function amendmentsOf(first, last)
if queue.amended == 0 then
return nil
end
local rows = call('ZRANGEBYSCORE', base .. 'amend', first, last)
if #rows == 0 then
return nil
end
local amendments = {}
for i = 1, #rows do
local amendment = cmsgpack.unpack(rows[i])
amendments[amendment.seq] = amendment
end
return amendments
end
local function amend(seq, gone, message)
local replaced = queue.amended > 0 and call('ZREMRANGEBYSCORE', base .. 'amend', seq, seq) or 0
if replaced == 0 then
queue.amended = queue.amended + 1
queueChanged = true
end
call('ZADD', base .. 'amend', seq, cmsgpack.pack({ seq = seq, gone = gone, message = message }))
end
local function isGone(seq)
local amendment = amendmentOf(seq)
return amendment and amendment.gone or false
end
local function isPending(seq)
return segmentAt(seq) and not isGone(seq)
end
local function identityOf(seq)
if queue.amended > 0 then
local amendment = amendmentOf(seq)
if amendment then
return amendment.message
end
end
local segment = segmentAt(seq)
local i = seq - segment.first + 1
local named = segment.columns and segment.columns.named and segment.columns.named[i]
return named and { seq = seq, id = segment.columns.id[i], named = named }
end
local function logMessage(seq)
local amendment = amendmentOf(seq)
if amendment then
return amendment.message
end
local segment = segmentAt(seq)
return segment and messageAt(segment, seq - segment.first + 1)
end
`

const moves = `local function wait(group, seq, side)
putSide(group, seq, side)
call('ZADD', keyOf(group, 'due'), side.at, seqText(seq))
group.row.waiting = group.row.waiting + 1
group.changed = true
end
local function free(group, key)
if not key then
return
end
local prefix = chainOf(key)
local next = group.row.blocked > 0
and call('ZRANGEBYLEX', keyOf(group, 'chain'), '[' .. prefix, '[' .. prefix .. '\\255', 'LIMIT', 0, 1)[1]
if not next then
call('HDEL', keyOf(group, 'heads'), key)
return
end
call('ZREM', keyOf(group, 'chain'), next)
group.row.blocked = group.row.blocked - 1
local seq = tonumber(string.sub(next, #prefix + 1))
call('HSET', keyOf(group, 'heads'), key, seqText(seq))
local side = sideOf(group, seq)
wait(group, seq, { at = math.max(now, side and side.at or 0), attempt = 0 })
end
local function park(group, message, at)
putHeld(group, message)
call('ZADD', keyOf(group, 'chain'), 0, chainOf(message.key) .. seqText(message.seq))
if at then
putSide(group, message.seq, { at = at, parked = true })
end
group.row.blocked = group.row.blocked + 1
group.changed = true
end
local function isBusy(group, key)
return call('HEXISTS', keyOf(group, 'heads'), key) == 1
end
local function enter(group, message, at)
if message.key and isBusy(group, message.key) then
park(group, message, at)
return
end
if message.key then
call('HSET', keyOf(group, 'heads'), message.key, seqText(message.seq))
end
putHeld(group, message)
wait(group, message.seq, { at = at, attempt = 0 })
end
local function remove(group, place, seq, key)
local row, kind = group.row, place.kind
group.changed = true
if kind == 'ahead' then
row.skipped = row.skipped + 1
return
end
if kind == 'leased' then
cutLease(group, place.lease, seq, seq)
free(group, place.lease.key)
return
end
dropHeld(group, seq)
if kind == 'parked' then
call('ZREM', keyOf(group, 'chain'), chainOf(key) .. seqText(seq))
row.blocked = row.blocked - 1
return
end
if kind == 'held' then
call('ZREM', keyOf(group, 'ends'), seqText(seq))
row.leased = row.leased - 1
else
call('ZREM', keyOf(group, 'due'), seqText(seq))
row.waiting = row.waiting - 1
end
free(group, key)
end
local finished = {}
local function done(group, message)
if message.named then
finished[#finished + 1] = message
end
end
local function forgetIds(asking)
if #finished == 0 then
return
end
local others = (asking or queue.groups > 1) and allGroups()
for from = 1, #finished, 1000 do
local ids, free = {}, {}
for i = from, math.min(#finished, from + 999) do
ids[#ids + 1] = finished[i].id
end
local rows = call('HMGET', base .. 'ids', unpack(ids))
for i = 1, #ids do
local message = finished[from + i - 1]
local isDone = rows[i] == string.format('s%.0f', message.seq)
if isDone and others then
for _, group in pairs(others) do
isDone = isDone and not locate(group, message.seq)
end
end
if isDone then
free[#free + 1] = message.id
if message.named > 0 then
call('ZADD', base .. 'past', now + message.named, message.id)
reapAt(now + message.named)
end
end
end
if #free > 0 then
call('HDEL', base .. 'ids', unpack(free))
end
end
finished = {}
end
local function bury(group, message, attempt, reason, reported)
local row = group.row
local letter = { message = message, attempt = attempt, reason = reason, error = reported, at = clock, fence = row.lease }
row.lease = row.lease + 1
call('ZADD', keyOf(group, 'dead'), message.seq, cmsgpack.pack(letter))
row.dead = row.dead + 1
row.failed = row.failed + 1
group.changed = true
done(group, message)
end
`

const places = `local function sideOf(group, seq)
local row = call('HGET', keyOf(group, 'side'), seqText(seq))
return row and cmsgpack.unpack(row)
end
local function putSide(group, seq, side)
call('HSET', keyOf(group, 'side'), seqText(seq), cmsgpack.pack(side))
end
local function heldMessage(group, seq)
local row = call('ZRANGEBYSCORE', keyOf(group, 'held'), seq, seq)[1]
return row and cmsgpack.unpack(row)
end
local function heldAt(group, seq)
local message, side = heldMessage(group, seq), sideOf(group, seq)
if not message or message.seq ~= seq or type(message.record) ~= 'string' or not isNumber(side and side.attempt) then
corrupt('a message')
end
return message, side
end
local function putHeld(group, message)
call('ZADD', keyOf(group, 'held'), message.seq, cmsgpack.pack(message))
end
local function dropHeld(group, seq)
call('ZREMRANGEBYSCORE', keyOf(group, 'held'), seq, seq)
call('HDEL', keyOf(group, 'side'), seqText(seq))
end
local function locate(group, seq)
local row = group.row
if row.leased + row.waiting + row.blocked > 0 then
local side = sideOf(group, seq)
if side then
return { kind = side.parked and 'parked' or side.lease and 'held' or 'waiting', side = side }
end
if row.blocked > 0 and call('ZCOUNT', keyOf(group, 'held'), seq, seq) > 0 then
return { kind = 'parked' }
end
local lease = row.leased > 0 and leaseAt(group, seq)
if lease then
return { kind = 'leased', lease = lease }
end
end
if seq >= row.cursor and not isGone(seq) then
return { kind = 'ahead' }
end
end
local function messageIn(group, place, seq)
if place.kind == 'ahead' or place.kind == 'leased' then
return logMessage(seq)
end
return heldMessage(group, seq)
end
local function chainOf(key)
return struct.pack('>I2', #key) .. key
end
`

const rows = `local call = redis.call
local state = KEYS[1]
local base = string.sub(state, 1, -6)
local JUMP_MS = 1000
local clock = tonumber(ARGV[1])
if clock == nil then
local time = call('TIME')
clock = time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = clock
local queue
local queueChanged = false
local groups = {}
local allLoaded = false
local function keyOf(group, kind)
return base .. kind .. ':' .. group.name
end
local function corrupt(what)
error(what .. ' is not as it was written')
end
local function isNumber(value)
return type(value) == 'number' and value > -1e15 and value < 1e15
end
local function trust(row, fields)
for i = 1, #fields do
local value = row[fields[i]]
if not (value > -1e15 and value < 1e15) then
corrupt(fields[i])
end
end
return row
end
local QUEUE_NUMBERS = { 'tail', 'bytes', 'sent', 'delayed', 'number', 'amended', 'groups', 'latest', 'skew' }
local GROUP_NUMBERS = {
'cursor',
'floor',
'trimmed',
'lease',
'skipped',
'leased',
'waiting',
'blocked',
'dead',
'acked',
'failed',
'latest',
}
local function addGroup(name, packed)
local row = trust(cmsgpack.unpack(packed), GROUP_NUMBERS)
if row.cursor > queue.tail or type(row.token) ~= 'string' then
corrupt('a group')
end
local group = { name = name, row = row, changed = false }
groups[name] = group
return group
end
local function open(name)
local rows = call('HMGET', state, 'queue', 'group:' .. (name or ''))
if rows[1] then
queue = trust(cmsgpack.unpack(rows[1]), QUEUE_NUMBERS)
if queue.delayed > 0 then
trust(queue, { 'timer' })
end
else
queue = { tail = 1, bytes = 0, sent = 0, delayed = 0, number = 1, amended = 0, groups = 0, latest = 0, skew = 0 }
end
local group = name and rows[2] and addGroup(name, rows[2])
local latest = queue.latest
if group and group.row.latest > latest then
latest = group.row.latest
end
now = clock + queue.skew
if now < latest - JUMP_MS then
queue.skew = latest - clock
queueChanged = true
now = latest
end
return group or nil
end
local function allGroups()
if not allLoaded then
allLoaded = true
local loaded = 0
for _ in pairs(groups) do
loaded = loaded + 1
end
if loaded < queue.groups then
local rows = call('HGETALL', state)
for i = 1, #rows, 2 do
local name = string.match(rows[i], '^group:(.*)$')
if name and not groups[name] then
addGroup(name, rows[i + 1])
end
end
end
end
return groups
end
local function floorOf(group)
if group.row.leased > 0 then
local first = call('ZRANGE', keyOf(group, 'leases'), 0, 0)[1]
if first then
return math.min(cmsgpack.unpack(first)[1], group.row.cursor)
end
end
return group.row.cursor
end
local function lowestFloor()
local lowest = queue.tail
for _, group in pairs(allGroups()) do
local floor = group.changed and floorOf(group) or group.row.floor
if floor < lowest then
lowest = floor
end
end
return lowest
end
local STRIDE = 64
local function trimBelow(floor)
call('XTRIM', base .. 'log', 'MINID', string.format('%.0f', floor))
if queue.amended > 0 then
local removed = call('ZREMRANGEBYSCORE', base .. 'amend', '-inf', string.format('(%.0f', floor))
if removed > 0 then
queue.amended = queue.amended - removed
queueChanged = true
end
end
end
local function finish(wakes)
local fields = {}
for name, group in pairs(groups) do
if group.changed then
local row = group.row
local floor = floorOf(group)
row.floor = floor
if floor ~= row.trimmed and (floor - row.trimmed >= STRIDE or floor >= queue.tail) then
row.trimmed = floor
trimBelow(queue.groups > 1 and lowestFloor() or floor)
end
if now > row.latest then
row.latest = now
end
fields[#fields + 1] = 'group:' .. name
fields[#fields + 1] = cmsgpack.pack(row)
end
end
if queueChanged then
if now > queue.latest then
queue.latest = now
end
fields[#fields + 1] = 'queue'
fields[#fields + 1] = cmsgpack.pack(queue)
end
if #fields > 0 then
call('HSET', state, unpack(fields))
if wakes ~= nil then
redis.pcall('PUBLISH', base .. 'changed', wakes and 'wake' or 'news')
end
end
end
`

const settling = `local settledWakes = false
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
message.expires = nil
if message.named and call('HEXISTS', base .. 'ids', message.id) == 0 then
call('HSET', base .. 'ids', message.id, string.format('s%.0f', seq))
call('ZREM', base .. 'past', message.id)
end
enter(group, message, now + delay)
end
return true
end
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
`

const store = `local SEGMENT_MESSAGES = 256
local SEGMENT_BYTES = 64 * 1024
local function seqText(seq)
return string.format('%016.0f', seq)
end
local function reapAt(time)
if not queue.reap or time < queue.reap then
queue.reap = time
queueChanged = true
end
end
local function noteExpiry(seq, expires)
if expires then
call('ZADD', base .. 'expiry', expires, string.format('m%.0f', seq))
reapAt(expires)
end
end
local function addSegment(count, blob, columns, at, start)
local tail = queue.tail
local head = cmsgpack.pack({ tail, at, queue.bytes, start })
local id = string.format('%.0f-0', tail + count - 1)
if columns then
call('XADD', base .. 'log', id, 'h', head, 'b', blob, 'c', cmsgpack.pack(columns))
else
call('XADD', base .. 'log', id, 'h', head, 'b', blob)
end
queue.tail = tail + count
queue.bytes = queue.bytes + #blob - 4 * count
queueChanged = true
end
local COLUMNS = { 'id', 'key', 'expires', 'max', 'named', 'at' }
local function columnsOf(messages, first, last)
local columns
for _, column in ipairs(COLUMNS) do
for i = first, last do
local value = messages[i][column]
if value ~= nil then
columns = columns or {}
columns[column] = columns[column] or {}
columns[column][i - first + 1] = value
end
end
end
return columns
end
local function addMessages(messages, at, start)
local from = 1
while from <= #messages do
local ends, records, size, to = {}, {}, 0, from
while to <= #messages and to - from < SEGMENT_MESSAGES do
local record = messages[to].record
if to > from and size + #record > SEGMENT_BYTES then
break
end
size = size + #record
ends[#ends + 1] = struct.pack('<I4', size)
records[#records + 1] = record
to = to + 1
end
addSegment(to - from, table.concat(ends) .. table.concat(records), columnsOf(messages, from, to - 1), at, start)
from = to
end
end
local TIMERS_AT_ONCE = 500
local function sweepDelayed()
if not queue.timer or queue.timer > now then
return
end
local due = call('ZRANGEBYSCORE', base .. 'timers', '-inf', now, 'LIMIT', 0, TIMERS_AT_ONCE)
if #due > 0 then
local rows = call('HMGET', base .. 'delayed', unpack(due))
local messages, ids, expired = {}, {}, {}
for i = 1, #due do
local message = cmsgpack.unpack(rows[i])
local seq = queue.tail + i - 1
messages[i] = message
ids[2 * i - 1] = message.id
ids[2 * i] = string.format('s%.0f', seq)
if message.expires then
expired[#expired + 1] = 'd' .. due[i]
noteExpiry(seq, message.expires)
end
end
call('HSET', base .. 'ids', unpack(ids))
call('ZREM', base .. 'timers', unpack(due))
call('HDEL', base .. 'delayed', unpack(due))
if #expired > 0 then
call('ZREM', base .. 'expiry', unpack(expired))
end
addMessages(messages, clock, '')
queue.delayed = queue.delayed - #due
end
queue.timer = tonumber(call('ZRANGE', base .. 'timers', 0, 0, 'WITHSCORES')[2])
queueChanged = true
end
`

/** One script: its text, and the digest by which the server knows it. */
export interface Script {
  readonly sha: string
  readonly text: string
}

export const SCRIPTS: Readonly<Record<'append' | 'cancel' | 'claim' | 'deleteGroup' | 'list' | 'purge' | 'retryNow' | 'settle' | 'stats', Script>> = {
  append: {
    sha: 'f5144c94c6a5baa135545fe66deba66c109423c5',
    text: `#!lua

` + rows + log + store + `open()
sweepDelayed()
local start, more = ARGV[2], ARGV[3]
local firstSeq, firstNumber = queue.tail, queue.number
if more == '' then
for i = 4, #ARGV, 2 do
local count = tonumber(ARGV[i])
queue.sent = queue.sent + count
addSegment(count, ARGV[i + 1], nil, clock, start)
end
finish(true)
return { '', firstSeq, firstNumber }
end
` + leases + places + moves + find + drop + `local function stored(spec, record, id)
return {
id = id,
key = spec.key,
expires = spec.expiresInMs and now + spec.expiresInMs,
max = spec.maxAttempts,
named = id and (spec.dedupeMs or 0),
record = record,
}
end
local function replace(message, places)
local seq = message.seq
noteExpiry(seq, message.expires)
if segmentAt(seq) then
amend(seq, isGone(seq), message)
end
for group, place in pairs(places) do
if place.kind == 'waiting' or place.kind == 'parked' then
call('ZREMRANGEBYSCORE', keyOf(group, 'held'), seq, seq)
putHeld(group, message)
group.changed = true
if place.kind == 'waiting' then
putSide(group, seq, { at = place.side.at, attempt = 0 })
end
end
end
call('HSET', base .. 'ids', message.id, string.format('s%.0f', seq))
end
local rowOf, pastOf = {}, {}
local function lookUp(ids)
for from = 1, #ids, 1000 do
local to = math.min(#ids, from + 999)
local rows = call('HMGET', base .. 'ids', unpack(ids, from, to))
local past = call('ZMSCORE', base .. 'past', unpack(ids, from, to))
for i = from, to do
rowOf[ids[i]] = rows[i - from + 1]
pastOf[ids[i]] = past[i - from + 1] and tonumber(past[i - from + 1])
end
end
end
local function meet(spec, record)
local id = spec.id
if not rowOf[id] then
local known = pastOf[id]
if known then
if known > now and not spec.replace then
return 'd'
end
call('ZREM', base .. 'past', id)
return 's'
end
end
local found = find(id)
if not found then
return 's'
end
if found.number then
if not spec.replace then
return 'd'
end
drop(id, found)
return 'S'
end
local seq = found.seq
local places, all, retained = {}, true, false
for _, group in pairs(allGroups()) do
local place = locate(group, seq)
places[group] = place
retained = retained or place ~= nil
all = all and place ~= nil and place.kind ~= 'leased' and place.kind ~= 'held'
end
if queue.groups == 0 then
retained = isPending(seq)
end
if not retained then
return 's'
end
if not spec.replace then
return 'd'
end
if not all then
return 's'
end
local present = logMessage(seq)
for group, place in pairs(places) do
if place.kind ~= 'ahead' then
present = heldMessage(group, seq)
end
end
if present.key ~= spec.key or (spec.delayMs and spec.delayMs > 0) then
drop(id, found)
return 'S'
end
local message = stored(spec, record, id)
message.seq = seq
message.at = clock
replace(message, places)
return 'r'
end
local specs = cjson.decode(more)
local records, marks, met = {}, {}, {}
for i = 4, #ARGV, 2 do
local segment = { count = tonumber(ARGV[i]), blob = ARGV[i + 1] }
for place = 1, segment.count do
records[#records + 1] = recordAt(segment, place)
end
end
local named = {}
for _, spec in ipairs(specs) do
if spec ~= 0 and spec.id then
named[#named + 1] = spec.id
end
end
lookUp(named)
for i, spec in ipairs(specs) do
local mark = 's'
if spec ~= 0 then
if spec.id then
mark = met[spec.id] and 'd' or meet(spec, records[i])
met[spec.id] = true
end
if spec.delayMs and spec.delayMs > 0 then
mark = mark == 's' and 'l' or mark == 'S' and 'L' or mark
end
end
marks[i] = mark
end
firstSeq = queue.tail
local messages, ids = {}, {}
for i, spec in ipairs(specs) do
local mark = marks[i]
if spec == 0 then
messages[#messages + 1] = { record = records[i] }
elseif mark == 's' or mark == 'S' then
local message = stored(spec, records[i], spec.id)
messages[#messages + 1] = message
local seq = queue.tail + #messages - 1
noteExpiry(seq, message.expires)
if spec.id then
ids[#ids + 1] = spec.id
ids[#ids + 1] = string.format('s%.0f', seq)
end
elseif mark == 'l' or mark == 'L' then
local number = queue.number
local message = stored(spec, records[i], spec.id or makeId(start, number, 1))
local due = now + spec.delayMs
message.at = clock
queue.number = number + 1
queue.delayed = queue.delayed + 1
queue.sent = queue.sent + 1
queueChanged = true
call('HSET', base .. 'delayed', seqText(number), cmsgpack.pack(message))
call('ZADD', base .. 'timers', due, seqText(number))
if not queue.timer or due < queue.timer then
queue.timer = due
end
if message.expires then
call('ZADD', base .. 'expiry', message.expires, 'd' .. seqText(number))
reapAt(message.expires)
end
ids[#ids + 1] = message.id
ids[#ids + 1] = string.format('t%.0f', number)
end
end
for from = 1, #ids, 1000 do
call('HSET', base .. 'ids', unpack(ids, from, math.min(#ids, from + 999)))
end
queue.sent = queue.sent + #messages
addMessages(messages, clock, start)
finish(true)
return { table.concat(marks), firstSeq, firstNumber }
`,
  },
  cancel: {
    sha: '9c4224543cfc2e7bce788bc6d0a7e70c78a33b42',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + find + drop + `open()
local results = {}
for i = 2, #ARGV do
local found = find(ARGV[i])
results[#results + 1] = found and drop(ARGV[i], found) and '1' or '0'
end
finish(true)
return table.concat(results)
`,
  },
  claim: {
    sha: '35bcc04bcb6027ee2eae16db425c6df4eabcb4fc',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + expired + expire + group + settling + `local PASS = 256
local PASS_ON = 2048
local SEGMENTS_AT_ONCE = 16
local MAX_BYTES = 8 * 1024 * 1024
local MAX_DELIVERIES = 10000
local LEASE_LOST = 'sthe lease ended before the delivery was settled'
local name, limit, leaseMs, maxAttempts = ARGV[2], math.min(tonumber(ARGV[3]), MAX_DELIVERIES), tonumber(ARGV[4]), tonumber(ARGV[5])
local group = open(name)
if not group then
while queue.timer and queue.timer <= now do
sweepDelayed()
end
group = imagineGroup(name, ARGV[7], ARGV[6])
unlinkGroup(group)
local others = {}
for _, other in pairs(allGroups()) do
others[#others + 1] = other
end
groups[name] = group
group.changed = true
queue.groups = queue.groups + 1
queueChanged = true
local retained, seqs = {}, {}
if ARGV[6] == 'earliest' then
local bound = string.format('(%.0f', group.row.cursor)
for _, other in ipairs(others) do
for _, row in ipairs(call('ZRANGEBYSCORE', keyOf(other, 'held'), '-inf', bound)) do
local message = cmsgpack.unpack(row)
if not retained[message.seq] then
seqs[#seqs + 1] = message.seq
retained[message.seq] = message
end
end
end
end
table.sort(seqs)
for _, seq in ipairs(seqs) do
enter(group, retained[seq], now)
end
end
local row = group.row
local settled = settleAll(group, 8)
sweepDelayed()
sweepExpired()
local number = row.lease
local ends = now + leaseMs
local reply = { row.token, number, -1, settled }
local taken, bytes, more = 0, 0, false
row.lease = number + 1
group.changed = true
local function room()
if bytes >= MAX_BYTES then
return 0
end
return limit - taken
end
local stretch
local function flush()
if stretch then
addLease(group, stretch)
stretch = nil
end
end
local function lease(first, last, attempt, named, key)
if stretch and not key and stretch.last == first - 1 and stretch.attempt == attempt then
stretch.last = last
stretch.named = stretch.named or named
return
end
flush()
stretch = { first = first, last = last, ends = ends, number = number, attempt = attempt, named = named, key = key }
if key then
flush()
end
end
local function verdict(message, attempt)
if message.expires and message.expires <= now then
return 'expired'
end
if attempt >= (message.max or maxAttempts) then
return 'exhausted'
end
end
local function take(message, attempt, held, key, reported)
local seq = message.seq
local reason = verdict(message, attempt)
if reason then
if held then
dropHeld(group, seq)
end
free(group, key)
bury(group, message, attempt, reason, reported)
return
end
if held then
call('ZADD', keyOf(group, 'ends'), ends, seqText(seq))
putSide(group, seq, { lease = number, at = ends, attempt = attempt + 1 })
row.leased = row.leased + 1
else
lease(seq, seq, attempt + 1, message.named ~= nil, key)
end
taken = taken + 1
bytes = bytes + #message.record
reply[#reply + 1] = {
seq,
held and 'h' or 'l',
message.at,
message.id,
message.key or '',
message.max or 0,
attempt + 1,
reported or '',
message.record,
}
end
local function takeEnded()
if row.leased == 0 then
return
end
local looked = 0
while room() > 0 do
local member = call('ZRANGEBYSCORE', keyOf(group, 'ends'), '-inf', now, 'LIMIT', 0, 1)[1]
if not member then
break
end
if looked >= PASS_ON then
more = true
break
end
if string.match(member, '^%d+$') then
local seq = tonumber(member)
local message, side = heldAt(group, seq)
local failed = row.failed + 1
call('ZREM', keyOf(group, 'ends'), member)
row.leased = row.leased - 1
take(message, side.attempt, true, message.key, LEASE_LOST)
row.failed = failed
looked = looked + 1
else
local old = toLease(member)
dropLease(group, old)
local seq = old.first
while seq <= old.last and room() > 0 and looked < PASS_ON do
local failed = row.failed + 1
take(logMessage(seq), old.attempt, false, old.key, LEASE_LOST)
row.failed = failed
looked = looked + 1
seq = seq + 1
end
if seq <= old.last then
addLease(group, partOf(old, seq, old.last))
end
end
end
end
local function takeDue()
local looked = 0
while row.waiting > 0 and room() > 0 do
local due = call('ZRANGEBYSCORE', keyOf(group, 'due'), '-inf', now, 'LIMIT', 0, math.min(room(), PASS))
if #due == 0 then
break
end
if looked >= PASS_ON then
more = true
break
end
looked = looked + #due
for _, member in ipairs(due) do
if room() == 0 then
return
end
local seq = tonumber(member)
local message, side = heldAt(group, seq)
call('ZREM', keyOf(group, 'due'), member)
row.waiting = row.waiting - 1
take(message, side.attempt, true, message.key, side.error)
end
end
end
local function takeEach(segment, from, amendments)
local i = from
while i <= segment.count and room() > 0 do
local seq = segment.first + i - 1
local amendment = amendments and amendments[seq]
if amendment and amendment.gone then
row.skipped = row.skipped - 1
else
local message = amendment and amendment.message or messageAt(segment, i)
local key = message.key
if not key or verdict(message, 0) then
take(message, 0, false)
elseif isBusy(group, key) then
park(group, message)
else
call('HSET', keyOf(group, 'heads'), key, seqText(seq))
take(message, 0, false, key)
end
end
i = i + 1
end
return i
end
local function takeStretch(segment, from)
local to = math.min(segment.count, from + room() - 1)
local size = sizeOf(segment, from, to)
local columns = segment.columns
local ids, own, named = '', '', false
if columns then
if columns.id then
ids = {}
for i = from, to do
ids[#ids + 1] = columns.id[i] or ''
end
for i in pairs(columns.named or {}) do
named = named or (i >= from and i <= to)
end
end
if columns.max then
own = {}
for i = from, to do
own[#own + 1] = columns.max[i] or 0
end
end
end
local blob = segment.blob
local ends = 4 * segment.count
local begin = startOf(blob, from)
if from > 1 or to < segment.count then
blob = string.sub(blob, 4 * from - 3, 4 * to) .. string.sub(blob, ends + begin + 1, ends + begin + size)
end
local first = segment.first + from - 1
reply[#reply + 1] = { first, to - from + 1, segment.at, segment.base, ids, own, begin, blob }
lease(first, segment.first + to - 1, 1, named)
taken = taken + to - from + 1
bytes = bytes + size
return to + 1
end
local function takeFromLog()
local before, looked, ask = taken, 0, 1
while room() > 0 and row.cursor < queue.tail do
local given = taken - before
if looked - given >= (given > 0 and PASS or PASS_ON) then
more = true
return
end
local entries = segmentsFrom(row.cursor, ask)
if #entries == 0 then
corrupt('the log')
end
for _, entry in ipairs(entries) do
if room() == 0 then
break
end
local segment = toSegment(entry)
known = segment
local from = math.max(row.cursor, segment.first)
local place = from - segment.first + 1
local amendments = amendmentsOf(from, segment.last)
local columns = segment.columns
if amendments or (columns and (columns.key or columns.expires or columns.at)) then
place = takeEach(segment, place, amendments)
else
place = takeStretch(segment, place)
end
row.cursor = segment.first + place - 1
looked = looked + row.cursor - from
ask = math.min(SEGMENTS_AT_ONCE, math.max(1, math.ceil(room() / segment.count)))
end
end
end
takeEnded()
takeDue()
takeFromLog()
takeDue()
flush()
forgetIds()
if more or (room() <= 0 and row.cursor < queue.tail) then
reply[3] = 0
else
local next = queue.timer
if row.waiting > 0 then
local due = tonumber(call('ZRANGE', keyOf(group, 'due'), 0, 0, 'WITHSCORES')[2])
next = next and math.min(next, due) or due
end
if row.leased > 0 then
local ended = tonumber(call('ZRANGE', keyOf(group, 'ends'), 0, 0, 'WITHSCORES')[2])
next = next and math.min(next, ended) or ended
end
if next then
reply[3] = math.max(0, math.ceil(next - now))
end
end
if #settled > 0 then
finish(settledWakes)
else
finish()
end
return reply
`,
  },
  deleteGroup: {
    sha: '3f6ebee05a0f74fc37d838bf088756d9f0ac98b3',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + group + `local SEGMENTS_AT_ONCE = 16
local function freeIds(group, floor)
if call('EXISTS', base .. 'ids') == 0 then
return
end
for _, member in ipairs(call('ZRANGE', keyOf(group, 'held'), 0, -1)) do
done(group, cmsgpack.unpack(member))
end
local from = 0
while from < floor do
local entries = segmentsFrom(from, SEGMENTS_AT_ONCE)
from = floor
for _, entry in ipairs(entries) do
local segment = toSegment(entry)
from = segment.last + 1
for i, named in pairs(segment.columns and segment.columns.named or {}) do
done(group, { seq = segment.first + i - 1, id = segment.columns.id[i], named = named })
end
end
end
forgetIds(true)
end
local group = open(ARGV[2])
if group then
allGroups()
groups[group.name] = nil
queue.groups = queue.groups - 1
queueChanged = true
local floor = lowestFloor()
if queue.groups == 0 then
call('UNLINK', base .. 'timers', base .. 'delayed', base .. 'ids', base .. 'expiry')
queue.delayed = 0
queue.timer = nil
else
freeIds(group, floor)
end
unlinkGroup(group)
call('HDEL', state, 'group:' .. group.name)
trimBelow(floor)
finish(true)
end
`,
  },
  list: {
    sha: '5944347ffec739c6c7d9ab1b4d57de7788a1cdd6',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + group + find + `local LOOK = 256
local LOOK_AT_MOST = 4096
local MAX_BYTES = 8 * 1024 * 1024
local name, limit, states = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local section, place, idCount = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local group = open(name) or imagineGroup(name, '', 'earliest')
local row = group.row
local reply = { row.token, '', '' }
local bytes, looked = 0, 0
local function wants(letters)
return string.find(states, '[' .. letters .. ']') ~= nil
end
local function isLive(message)
return message and (not message.expires or message.expires > now)
end
local function show(state, message, attempt, at, reported, letter)
looked = looked + 1
local left = at and at - now or 0
if at and left <= 0 then
state = 'r'
end
if wants(state) then
bytes = bytes + #message.record
local entry = {
state,
message.at,
message.id,
message.key or '',
message.max or 0,
attempt,
left > 0 and math.ceil(left) or -1,
reported or '',
message.record,
}
if letter then
for _, value in ipairs({ letter.reason, letter.at, letter.fence, message.seq }) do
entry[#entry + 1] = value
end
end
reply[#reply + 1] = entry
end
return #reply - 3 >= limit or bytes >= MAX_BYTES or looked >= LOOK_AT_MOST
end
local function showHeld(message)
local side = sideOf(group, message.seq)
if side and side.lease then
return show('l', message, side.attempt, side.at)
end
if not isLive(message) then
return false
end
if side and not side.parked then
return show('d', message, side.attempt, side.at, side.error)
end
return show('b', message, 0)
end
local function showDead(letter)
return show('x', letter.message, letter.attempt, nil, letter.error, letter)
end
local function walk(kind, each)
local from = place == '' and '-inf' or '(' .. place
local last = tonumber(place) or 0
while true do
local rows = call('ZRANGEBYSCORE', keyOf(group, kind), from, '+inf', 'LIMIT', 0, LOOK)
for _, member in ipairs(rows) do
local one = cmsgpack.unpack(member)
local seq, full = each(one)
if not isNumber(seq) or seq <= last then
corrupt('a message')
end
last = seq
place = string.format('%.0f', seq)
if full then
return true
end
end
if #rows < LOOK then
return false
end
from = '(' .. place
end
end
local sections = {}
sections[1] = { 'lr', function()
local from = tonumber(place ~= '' and place or 0) + 1
while true do
local member = call('ZRANGEBYSCORE', keyOf(group, 'leases'), from, '+inf', 'LIMIT', 0, 1)[1]
if not member then
return false
end
local lease = toLease(member)
if lease.last < from then
corrupt('a lease')
end
for seq = math.max(from, lease.first), lease.last do
local message = logMessage(seq)
place = string.format('%.0f', seq)
if not message then
corrupt('a lease')
end
if show('l', message, lease.attempt, lease.ends) then
return true
end
end
from = lease.last + 1
end
end }
sections[2] = { 'ldbr', function()
return walk('held', function(message)
return message.seq, showHeld(message)
end)
end }
sections[3] = { 'r', function()
local from = math.max(row.cursor, tonumber(place ~= '' and place or 0) + 1)
while from < queue.tail do
local entry = segmentsFrom(from, 1)[1]
if not entry then
return false
end
local segment = toSegment(entry)
local amendments = amendmentsOf(segment.first, segment.last)
for seq = math.max(from, segment.first), segment.last do
local amendment = amendments and amendments[seq]
place = string.format('%.0f', seq)
if not (amendment and amendment.gone) then
local message = amendment and amendment.message or messageAt(segment, seq - segment.first + 1)
if isLive(message) and show('r', message, 0) then
return true
end
end
end
from = segment.last + 1
end
return false
end }
sections[4] = { 'dr', function()
local at, number = string.match(place, '^(.*)/(.*)$')
local index = 0
if at then
local rank = call('ZRANK', base .. 'timers', number)
index = rank and rank + 1 or call('ZCOUNT', base .. 'timers', '-inf', at)
end
while true do
local rows = call('ZRANGE', base .. 'timers', index, index + LOOK - 1, 'WITHSCORES')
for i = 1, #rows, 2 do
local message = delayedMessage(rows[i])
place = rows[i + 1] .. '/' .. rows[i]
if isLive(message) and show('d', message, 0, tonumber(rows[i + 1])) then
return true
end
end
if #rows < 2 * LOOK then
return false
end
index = index + LOOK
end
end }
sections[5] = { 'x', function()
return walk('dead', function(letter)
return letter.message.seq, showDead(letter)
end)
end }
local function showStanding(id)
local found = find(id)
if not found then
return false
end
if found.number then
local message = delayedMessage(found.number)
local at = tonumber(call('ZSCORE', base .. 'timers', seqText(found.number)))
return isLive(message) and show('d', message, 0, at)
end
local spot = locate(group, found.seq)
if not spot then
return false
end
if spot.kind == 'leased' then
return show('l', logMessage(found.seq), spot.lease.attempt, spot.lease.ends)
end
if spot.kind == 'ahead' then
local message = logMessage(found.seq)
return isLive(message) and show('r', message, 0)
end
return showHeld(heldMessage(group, found.seq))
end
local function showIds()
local letters = {}
if wants('x') and row.dead > 0 then
for _, member in ipairs(call('ZRANGE', keyOf(group, 'dead'), 0, -1)) do
local letter = cmsgpack.unpack(member)
letters[letter.message.id] = letter
end
end
local half = place == '' and 0 or tonumber(place)
for step = half, 2 * idCount - 1 do
local id = ARGV[8 + math.floor(step / 2)]
place = string.format('%.0f', step + 1)
if step % 2 == 0 then
if letters[id] and showDead(letters[id]) then
return true
end
elseif showStanding(id) then
return true
end
end
return false
end
if idCount >= 0 then
if showIds() then
reply[2], reply[3] = '1', place
end
return reply
end
while sections[section] do
local letters, walkThrough = sections[section][1], sections[section][2]
if wants(letters) and walkThrough() then
reply[2], reply[3] = tostring(section), place
return reply
end
section = section + 1
place = ''
end
return reply
`,
  },
  purge: {
    sha: '1505ed6dec793ed2feca60ae7816231039fc3852',
    text: `#!lua flags=allow-oom

` + rows + log + group + `local isReadable, problem = pcall(function()
open()
allGroups()
end)
if not isReadable then
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
`,
  },
  retryNow: {
    sha: '0d23de4c6ab1b71b23aeec81f8f579d809287e9f',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + find + `local group = open(ARGV[2])
local results = {}
for i = 3, #ARGV do
local found = group and find(ARGV[i])
local place = found and found.seq and locate(group, found.seq)
local waits = place and place.kind == 'waiting' and place.side.at > now
if waits then
place.side.at = now
putSide(group, found.seq, place.side)
call('ZADD', keyOf(group, 'due'), now, seqText(found.seq))
group.changed = true
end
results[#results + 1] = waits and '1' or '0'
end
finish(true)
return table.concat(results)
`,
  },
  settle: {
    sha: '5c59b5e42fb3d9545a6b793b573e60d3f88e6336',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + settling + `local group = open(ARGV[2])
local settled = settleAll(group, 3)
if group and group.changed then
forgetIds()
finish(settledWakes)
end
return settled
`,
  },
  stats: {
    sha: '50a4cf52d7fe09f433f647c4aa0ec5c210141cad',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + expired + `open()
local DUE_AT_MOST = 4096
local function ageOf(message)
return message and math.max(0, clock - message.at)
end
local first = firstSegment()
local expired, expiredDelayed = {}, 0
if queue.reap and queue.reap <= now then
for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'expiry', '-inf', now, 'LIMIT', 0, DUE_AT_MOST)) do
if string.sub(member, 1, 1) == 'm' then
expired[#expired + 1] = tonumber(string.sub(member, 2))
else
expiredDelayed = expiredDelayed + 1
end
end
end
local dueDelayed = queue.timer and queue.timer <= now and call('ZCOUNT', base .. 'timers', '-inf', now) or 0
local messages, oldest = 0, first and ageOf(first)
local reply = { 0, first and queue.bytes - first.bytes or 0, -1, queue.sent }
local count = 0
for name, group in pairs(allGroups()) do
local row = group.row
count = count + 1
local ended, due = 0, 0
if row.leased > 0 then
for _, member in ipairs(call('ZRANGEBYSCORE', keyOf(group, 'ends'), '-inf', now)) do
local lease = string.match(member, '^%d+$') and { first = 0, last = 0 } or toLease(member)
ended = ended + lease.last - lease.first + 1
end
end
if row.waiting > 0 then
due = call('ZCOUNT', keyOf(group, 'due'), '-inf', now)
end
local ready = queue.tail - row.cursor - row.skipped + ended + due + dueDelayed - expiredDelayed
local delayed = queue.delayed + row.waiting - due - dueDelayed
local blocked = row.blocked
for _, seq in ipairs(expired) do
local place = expiredIn(group, seq)
if place and place.kind == 'parked' then
blocked = blocked - 1
elseif place and place.kind == 'waiting' and place.side.at > now then
delayed = delayed - 1
elseif place then
ready = ready - 1
end
end
local floor = floorOf(group)
local age = floor < queue.tail and ageOf(logMessage(floor))
local held = call('ZRANGE', keyOf(group, 'held'), 0, 0)[1]
if held then
age = math.max(age or 0, ageOf(cmsgpack.unpack(held)))
end
if age and (not oldest or age > oldest) then
oldest = age
end
for _, value in ipairs({ name, ready, row.leased - ended, delayed, blocked, row.dead, age or -1, row.acked, row.failed }) do
reply[#reply + 1] = value
end
messages = math.max(messages, ready + row.leased - ended + delayed + blocked)
end
if count == 0 then
messages = queue.tail - (first and first.first or queue.tail) + queue.delayed - expiredDelayed
for _, amendment in pairs(amendmentsOf('-inf', '+inf') or {}) do
messages = messages - (amendment.gone and 1 or 0)
end
for _, seq in ipairs(expired) do
local message = isPending(seq) and logMessage(seq)
if message and message.expires and message.expires <= now then
messages = messages - 1
end
end
end
reply[1] = messages
reply[3] = oldest or -1
return reply
`,
  },
}
