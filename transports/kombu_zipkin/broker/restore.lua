-- restore: give back what silent consumers hold, by the server's clock; any consumer may, no mutex.
-- KEYS: unacked_index, unacked, waiters, watch (hash: seen, hold; seconds)
-- ARGV: lease in seconds, the same for messages that stock kombu claimed, how many at most, prefix, separator
-- Answer: how many went back; tags of stock kombu's that are due; waiters that are silent.
-- After a time in which nobody could reach this server, every lease is old: consumers first get 3 s to renew theirs.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local lease, stock_lease, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local seen = tonumber(redis.call('HGET', KEYS[4], 'seen') or '0')
redis.call('ZREM', KEYS[1], '')  -- under OOM Redis refuses only a script's first write, if it may need memory
redis.call('HSET', KEYS[4], 'seen', string.format('%.3f', now))
if seen > 0 and now - seen > math.max(lease / 2, 5) then redis.call('HSET', KEYS[4], 'hold', string.format('%.3f', now + 3)) end
if now < tonumber(redis.call('HGET', KEYS[4], 'hold') or '0') then return {0, {}, {}} end

local due, page, offset = string.format('%.6f', now - lease), 100, 0
local count, stock = 0, {}
while count < limit and offset < 10000 do
  local tags = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', due, 'WITHSCORES', 'LIMIT', offset, page)
  for i = 1, #tags, 2 do
    if string.sub(tags[i], 1, 3) == 'kz.' then
      local member = '"lost:' .. tags[i] .. '":"worker lost"'
      count = count + take_back(KEYS[1], KEYS[2], tags[i], ARGV[4], ARGV[5], true, member)
    else
      offset = offset + 1
      if tonumber(tags[i + 1]) < now - stock_lease and #stock < limit then stock[#stock + 1] = tags[i] end
    end
  end
  if #tags < 2 * page then break end
end
local silent = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', due, 'LIMIT', 0, 100)
return {count, stock, silent}
