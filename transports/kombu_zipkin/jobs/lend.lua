-- lend: messages whose time has come, for a caller who sends them elsewhere and removes them then; if it dies in between
-- they are due again a while later. By the server's clock.
-- KEYS: the waiting room (sorted set of "queue\nenvelope" by due time, ms)   ARGV: how many, for how long (ms)
-- Answer: the messages.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
for _, waiting in ipairs(due) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), waiting)
end
return due
