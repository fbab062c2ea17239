-- replay: a dead letter back into its queue, exactly once whoever else does the same, and its record with it.
-- KEYS: the index of all jobs, the dead letters, the queue
-- ARGV: the message as it lies there, the message as it shall lie, the job's id, now (ms), time to live of a finished
--       job's record, of an open one's (ms), names and values of its record's fields (none: it is elsewhere)
-- Answer: 1, or 0 where it is gone.
if redis.call('LREM', KEYS[2], -1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[3], ARGV[2])
local fields = {unpack(ARGV, 7)}
if #fields > 0 then write(ARGV[3], fields, false, tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])) end
return 1
