-- renew: a sign of life for held messages, by the server's clock.
-- KEYS: unacked_index   ARGV: tags   Answer: the tags that are held no more.
local clock = redis.call('TIME')
local now = clock[1] .. '.' .. string.format('%06d', clock[2])
local lost = {}
redis.call('ZREM', KEYS[1], '')  -- under OOM Redis refuses only a script's first write, if it may need memory
for _, tag in ipairs(ARGV) do
  if redis.call('ZSCORE', KEYS[1], tag) then
    redis.call('ZADD', KEYS[1], 'XX', now, tag)
  else
    lost[#lost + 1] = tag
  end
end
return lost
