-- publish: put jobs into their queue, or into the waiting room, and begin their records, in one step.
-- KEYS: the index of all jobs, the queue's list or the waiting room
-- ARGV: now (ms), time to live of a finished job's record, of an open one's (ms), how many records at most,
--       when the jobs are due (ms; empty: now), then for each job: its id, whether the caller chose it (1 or 0),
--       the message, how many texts follow, names and values of its record's fields
-- Answer: for each job 1, or 0 where one of that id was published before; it is not published again.
-- Under OOM Redis refuses only a script's first write: that is the message's, so all of a lone job is done or nothing.
local now, ttl, open_ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due, published = ARGV[5], {}
local i = 6
while i < #ARGV do
  local id, chosen, message, count = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  if chosen == '1' and redis.call('HEXISTS', record_key(id), 'state') == 1 then
    published[#published + 1] = 0
  else
    if due == '' then
      redis.call('LPUSH', KEYS[2], message)
    else
      redis.call('ZADD', KEYS[2], due, message)
    end
    local fields = {}
    for j = 1, count do fields[j] = ARGV[i + 3 + j] end
    write(id, fields, true, now, ttl, open_ttl)
    published[#published + 1] = 1
  end
  i = i + 4 + count
end
trim(now, ttl, open_ttl, tonumber(ARGV[4]))
return published
