-- publish: put jobs into their queue, or into the waiting room, and begin their records, in one step.
-- KEYS: the index of all jobs, the queue's list or the waiting room
-- ARGV: now (ms), time to live of an open job's record (ms), when the jobs are due (ms; empty: now), their state, their
--       task, their queue, when they were made (ms), then for each job: its id, whether the caller chose it (1 or 0), the
--       message, its trace id (empty: none), whether that is sampled (1 or 0), its arguments
-- Answer: for each job 1, or 0 where one of that id was published before; it is not published again.
-- Under OOM Redis refuses only a script's first write: that is the message's, so all of a lone job is done or nothing.
local now, open_ttl, due = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local state, task, queue, made = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local published, begun, traces = {}, {}, {}
for i = 8, #ARGV, 6 do
  local id, chosen, message, trace, sampled, arguments = unpack(ARGV, i, i + 5)
  local key = record_key(id)
  if chosen == '1' and redis.call('HEXISTS', key, 'state') == 1 then
    published[#published + 1] = 0
  else
    if due == '' then
      redis.call('LPUSH', KEYS[2], message)
    else
      redis.call('ZADD', KEYS[2], due, message)
    end
    redis.call('HSET', key, 'id', id, 'task', task, 'arguments', arguments, 'queue', queue, 'trace_id', trace,
      'sampled', sampled, 'created_ms', made, 'state', state, 'due_ms', due)
    redis.call('PEXPIRE', key, kept(open_ttl))
    if trace ~= '' then
      redis.call('SADD', trace_key(trace), id)
      traces[trace] = true
    end
    begun[#begun + 1] = now
    begun[#begun + 1] = id
    published[#published + 1] = 1
  end
end
for trace in pairs(traces) do redis.call('PEXPIRE', trace_key(trace), open_ttl) end
if #begun > 0 then
  for _, key in ipairs({INDEX, state_key(state), task_key(state, task)}) do redis.call('ZADD', key, unpack(begun)) end
end
return published
