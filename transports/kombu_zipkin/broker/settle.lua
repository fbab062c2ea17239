-- settle: be done with messages, each as far as it is still held under its tag.
-- KEYS: unacked_index, unacked, then any further keys
-- ARGV: for each message: tag, number of a further key (0: none), score (empty: the key is a list), text.
--       The text goes onto the list, or into the sorted set: a dead letter, a retry.
-- Answer: for each message 1, or 0 where nobody holds it under this tag any more; then nothing was done.
-- Nothing that may need memory comes before the removal: under OOM Redis refuses only a script's first write.
local settled = {}
for i = 1, #ARGV, 4 do
  redis.call('ZREM', KEYS[1], ARGV[i])
  local held = redis.call('HDEL', KEYS[2], ARGV[i])
  local further = tonumber(ARGV[i + 1])
  if held == 1 and further > 0 then
    if ARGV[i + 2] == '' then
      redis.call('LPUSH', KEYS[2 + further], ARGV[i + 3])
    else
      redis.call('ZADD', KEYS[2 + further], ARGV[i + 2], ARGV[i + 3])
    end
  end
  settled[#settled + 1] = held
end
return settled
