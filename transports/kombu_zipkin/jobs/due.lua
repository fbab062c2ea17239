-- due: messages whose time has come go from the waiting room to their queues, by the server's clock.
-- KEYS: the waiting room (sorted set of "queue\nenvelope" by due time, ms)   ARGV: prefix of the queues' keys, how many
-- Answer: how many went.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
for _, waiting in ipairs(due) do
  local cut = string.find(waiting, '\n', 1, true)
  redis.call('ZREM', KEYS[1], waiting)  -- first: under OOM Redis refuses only a script's first write
  redis.call('LPUSH', ARGV[1] .. string.sub(waiting, 1, cut - 1), string.sub(waiting, cut + 1))
end
return #due
