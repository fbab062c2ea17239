-- move: a message from one list to another, in another form, exactly once whoever else does the same.
-- KEYS: from, to   ARGV: the message as it lies there, the message as it shall lie   Answer: 1, or 0 where it is gone.
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
