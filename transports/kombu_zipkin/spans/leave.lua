-- leave: a consumer goes, unless it still holds entries; XGROUP DELCONSUMER would lose those.
-- KEYS: stream   ARGV: group, consumer   Answer: 1 if it went, 0 if it holds entries.
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
