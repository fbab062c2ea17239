-- expire: forget what is over its time.
-- KEYS: the index of all jobs
-- ARGV: now (ms), time to live of a finished job's record, of an open one's (ms), how many at most
-- Answer: how many went.
local now, gone = tonumber(ARGV[1]), 0
for _, state in ipairs({'succeeded', 'dead_lettered', 'queued', 'running', 'waiting'}) do
  local due = string.format('(%.0f', now - tonumber(FINAL[state] and ARGV[2] or ARGV[3]))
  local old = redis.call('ZRANGEBYSCORE', state_key(state), '-inf', due, 'LIMIT', 0, tonumber(ARGV[4]) - gone)
  for _, id in ipairs(old) do forget(id) end
  gone = gone + #old
end
return gone
