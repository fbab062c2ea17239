-- release: a message from the waiting room to its queue before its time, exactly once.
-- KEYS: the waiting room, the queue   ARGV: the member, the message   Answer: 1, or 0 where it does not wait.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
