-- forget: producers that have been silent for long enter the totals, and their own books are closed.
-- KEYS: totals, producers   ARGV: milliseconds of silence, most producers, prefix of a producer's key
-- Answer: how many went.
local clock = redis.call('TIME')
local before = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000) - tonumber(ARGV[1]))
local silent = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. before, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(silent) do
  local books, dropped = {}, {}
  local flat = redis.call('HGETALL', ARGV[3] .. id)
  for i = 1, #flat, 2 do
    books[flat[i]] = tonumber(flat[i + 1]) or 0
    if string.sub(flat[i], 1, 8) == 'dropped:' then dropped[flat[i]] = tonumber(flat[i + 1]) or 0 end
  end
  local created, accepted = books.created or 0, books.accepted or 0
  local lost = created - accepted - (books.vanished or 0)
  for _, spans in pairs(dropped) do lost = lost - spans end
  redis.call('DEL', ARGV[3] .. id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HINCRBY', KEYS[1], 'created', string.format('%.0f', created))
  redis.call('HINCRBY', KEYS[1], 'accepted', string.format('%.0f', accepted))
  redis.call('HINCRBY', KEYS[1], 'lost', string.format('%.0f', math.max(lost, 0)))
  for cause, spans in pairs(dropped) do redis.call('HINCRBY', KEYS[1], cause, string.format('%.0f', spans)) end
end
return #silent
