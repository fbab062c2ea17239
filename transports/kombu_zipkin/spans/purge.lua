-- purge: dead letters are thrown away, and counted.
-- KEYS: totals, dead   ARGV: letter ids...
-- Answer: how many were still there, and their spans.
local letters, spans, bytes = 0, 0, 0
for _, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', KEYS[2], id, id)[1]
  if letter then
    local n, size = weigh(letter[2])
    redis.call('XDEL', KEYS[2], id)
    letters, spans, bytes = letters + 1, spans + n, bytes + size
  end
end
if letters > 0 then
  redis.call('HINCRBY', KEYS[1], 'dead', exactly(0 - spans))
  redis.call('HINCRBY', KEYS[1], 'dead_bytes', exactly(0 - bytes))
  redis.call('HINCRBY', KEYS[1], 'purged', exactly(spans))
end
return {letters, spans}
