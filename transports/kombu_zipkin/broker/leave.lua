-- leave: a waiter is gone; what was moved to it goes back to the front of its list.
-- KEYS: waiters, the waiter's own list, the list it waits for   ARGV: its member of waiters; empty: it stays one
-- Answer: how many messages went back.
local count = 0
redis.call('ZREM', KEYS[1], '')  -- under OOM Redis refuses only a script's first write, if it may need memory
while redis.call('LMOVE', KEYS[2], KEYS[3], 'LEFT', 'RIGHT') do count = count + 1 end
if ARGV[1] ~= '' then redis.call('ZREM', KEYS[1], ARGV[1]) end
return count
