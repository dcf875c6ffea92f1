-- What became of messages that say how long that is kept. Keys end with the token of the group. Most queues have none:
-- they are included lazily. Whoever calls these has looked at the messages, or at the numbers of the group.
--
-- The sorted set `results:<group>`: outcomes, by seq: `id`, `key`, `lane`, `at`, `max` and `attempt` of the message; `status`, with
-- `value`, or `reason` and `error`; `ended`, when that was, and `ends`, when it goes.
-- The sorted set `until:<group>`: their seqs by when they go, each followed by the id where that does not tell the seq.
-- The hash `kept:<group>`: the seqs of these ids.
-- The hash `progress:<group>`: by seq, how far the handler of a leased message is, with the number of the lease.

-- Notes what became of a message in a group. It is kept at the end of the verb.
local function conclude(group, message, attempt, outcome)
  concluded = concluded or {}
  local all = concluded[group] or {}
  concluded[group] = all
  outcome.seq, outcome.id, outcome.key, outcome.lane = message.seq, message.id, message.key, message.lane
  outcome.at, outcome.max, outcome.attempt = message.at, message.max, attempt
  outcome.ended, outcome.ends = clock, now + message.keep
  all[#all + 1] = { outcome, message.named }
end

local function untilMember(seq, id)
  return seqText(seq) .. (id or '')
end

-- Ids that a hint names; where there are more it says so.
local TOLD_AT_MOST = 64
-- What one command keeps.
local OUTCOMES_IN_ONE = 500

-- Keeps what was noted. Comes before ids are forgotten: what becomes of a message does not count once a later one has had its
-- id.
local function keepOutcomes()
  local names = {}
  for group, all in pairs(concluded) do
    for from = 1, #all, OUTCOMES_IN_ONE do
      local to = math.min(#all, from + OUTCOMES_IN_ONE - 1)
      local ids, results, times, kept, seqs = {}, {}, {}, {}, {}
      for i = from, to do
        ids[#ids + 1] = all[i][1].id
      end
      local rows = call('HMGET', base .. 'ids', unpack(ids))
      local others = group.row.kept and call('HMGET', keyOf(group, 'kept'), unpack(ids)) or {}
      for i = from, to do
        local outcome, named = all[i][1], all[i][2]
        local row, other = rows[i - from + 1], others[i - from + 1]
        local isLast = not row and not other
        if named then
          isLast = row and readId(row).seq == outcome.seq and (not other or tonumber(other) == outcome.seq)
        end
        if isLast then
          results[#results + 1] = outcome.seq
          results[#results + 1] = cmsgpack.pack(outcome)
          times[#times + 1] = outcome.ends
          times[#times + 1] = untilMember(outcome.seq, named and outcome.id)
          if named then
            kept[#kept + 1] = outcome.id
            kept[#kept + 1] = seqText(outcome.seq)
          end
          names[#names + 1] = outcome.id
          reapAt(outcome.ends)
        elseif outcome.status == 'dead' then
          supersede(group, outcome.seq)
        end
        seqs[#seqs + 1] = seqText(outcome.seq)
      end
      if #results > 0 then
        call('ZADD', keyOf(group, 'results'), unpack(results))
        call('ZADD', keyOf(group, 'until'), unpack(times))
        tally(group.row, 'kept', #results / 2)
        tally(queue, 'kept', #results / 2)
      end
      if #kept > 0 then
        call('HSET', keyOf(group, 'kept'), unpack(kept))
      end
      if group.row.running then
        tally(group.row, 'running', -call('HDEL', keyOf(group, 'progress'), unpack(seqs)))
      end
    end
    group.changed, queueChanged = true, true
  end
  if #names > 0 then
    told = #names > TOLD_AT_MOST and '"many"' or cjson.encode(names)
  end
  concluded = nil
end

-- Deletes outcomes whose time has come; whole runs of seqs, because those that end together often follow each other.
-- Answers how many.
local function sweepOutcomes(group, most)
  local members = call('ZRANGEBYSCORE', keyOf(group, 'until'), '-inf', now, 'LIMIT', 0, most)
  if #members == 0 then
    return 0
  end
  call('ZREMRANGEBYRANK', keyOf(group, 'until'), 0, #members - 1)
  local seqs, ids = {}, {}
  for i = 1, #members do
    seqs[i] = tonumber(string.sub(members[i], 1, 16))
    if #members[i] > 16 then
      ids[#ids + 1] = string.sub(members[i], 17)
    end
  end
  table.sort(seqs)
  local from = 1
  for i = 1, #seqs do
    if seqs[i + 1] ~= seqs[i] + 1 then
      call('ZREMRANGEBYSCORE', keyOf(group, 'results'), seqs[from], seqs[i])
      from = i + 1
    end
  end
  for first = 1, #ids, 1000 do
    call('HDEL', keyOf(group, 'kept'), unpack(ids, first, math.min(#ids, first + 999)))
  end
  tally(group.row, 'kept', -#members)
  tally(queue, 'kept', -#members)
  group.changed, queueChanged = true, true
  return #members
end

local function outcomeAt(group, seq)
  local row = call('ZRANGEBYSCORE', keyOf(group, 'results'), seq, seq)[1]
  return row and cmsgpack.unpack(row)
end

-- Deletes what became of a message: it waits again, or another one has its id.
local function dropOutcome(group, seq)
  local outcome = outcomeAt(group, seq)
  if not outcome then
    return
  end
  local member = untilMember(seq, outcome.id)
  call('ZREMRANGEBYSCORE', keyOf(group, 'results'), seq, seq)
  call('ZREM', keyOf(group, 'until'), seqText(seq), member)
  if call('HGET', keyOf(group, 'kept'), outcome.id) == seqText(seq) then
    call('HDEL', keyOf(group, 'kept'), outcome.id)
  end
  tally(group.row, 'kept', -1)
  tally(queue, 'kept', -1)
  group.changed, queueChanged = true, true
end

-- What becomes of a dead letter that is redriven does not count: a later message has had its id.
local function supersede(group, seq)
  local letter, row = letterAt(group, seq)
  if letter and letter.message.keep then
    letter.message.keep = nil
    tallyKeepers(group, -1)
    call('ZREM', keyOf(group, 'dead'), row)
    call('ZADD', keyOf(group, 'dead'), seq, cmsgpack.pack(letter))
  end
end

-- The same for all dead letters of an id. `made`: the seq that the id may tell.
local function supersedeAll(group, id, made)
  local prefix = chainOf(id)
  for _, member in ipairs(call('ZRANGEBYLEX', keyOf(group, 'letters'), '[' .. prefix, '[' .. prefix .. '\255')) do
    supersede(group, tonumber(string.sub(member, #prefix + 1)))
  end
  local letter = made and letterAt(group, made)
  if letter and letter.message.id == id then
    supersede(group, made)
  end
end

-- Messages were stored under these ids.
local function forgetOutcomes(ids)
  for _, group in pairs(allGroups()) do
    local row = group.row
    for from = 1, (row.kept or row.keepers) and #ids or 0, 1000 do
      local to = math.min(#ids, from + 999)
      local found = row.kept and call('HMGET', keyOf(group, 'kept'), unpack(ids, from, to)) or {}
      for i = from, to do
        local id, made = ids[i], seqOf(ids[i])
        local seq = tonumber(found[i - from + 1]) or made
        local outcome = row.kept and seq and outcomeAt(group, seq)
        if outcome and outcome.id == id then
          dropOutcome(group, seq)
        end
        if row.keepers then
          supersedeAll(group, id, made)
        end
      end
    end
  end
end

-- What became of the message of an id, if that is kept.
local function outcomeOf(group, id)
  local seq = tonumber(call('HGET', keyOf(group, 'kept'), id)) or seqOf(id)
  local outcome = seq and outcomeAt(group, seq)
  return outcome and outcome.id == id and outcome.ends > now and outcome or nil
end

-- An outcome as the client gets it: the status, when, and the value, or the reason and the error.
local function detailsOf(outcome)
  if outcome.status == 'done' then
    return { 'done', outcome.ended, outcome.value or '' }
  end
  return { 'dead', outcome.ended, outcome.reason, outcome.error or '' }
end

-- Notes how far the handler of a message is.
local function noteProgress(group, message, number, value)
  if message.keep then
    local row = cmsgpack.pack({ number, value, clock })
    tally(group.row, 'running', call('HSET', keyOf(group, 'progress'), seqText(message.seq), row))
  end
end

-- It is of no use any more.
local function dropProgress(group, seq)
  tally(group.row, 'running', -call('HDEL', keyOf(group, 'progress'), seqText(seq)))
  group.changed = true
end

-- How far the handler of a message is that is leased under a number: when that was, and the value.
local function progressOf(group, seq, number)
  local row = call('HGET', keyOf(group, 'progress'), seqText(seq))
  local progress = row and cmsgpack.unpack(row)
  if progress and progress[1] == number then
    return { progress[3], progress[2] }
  end
end
