-- replay: dead letters go back onto the stream as one new entry, all of them or none.
-- KEYS: stream, totals, dead
-- ARGV: spans, bytes charged, number of letters, letter ids..., (field, value)... of the entry
-- Answer: the ids that are no longer there; nothing changed unless there are none.
local spans, charged, letters = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local gone, counted, bytes = {}, 0, 0
for i = 4, 3 + letters do
  local letter = redis.call('XRANGE', KEYS[3], ARGV[i], ARGV[i])[1]
  if letter then
    local n, size = weigh(letter[2])
    counted, bytes = counted + n, bytes + size
  else
    gone[#gone + 1] = ARGV[i]
  end
end
if #gone > 0 then return gone end
if counted ~= spans then
  return redis.error_reply('ERR replay: the letters hold ' .. counted .. ' spans, the entry ' .. spans)
end
for i = 4, 3 + letters do redis.call('XDEL', KEYS[3], ARGV[i]) end -- frees before it writes, see settle
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4 + letters))
redis.call('HINCRBY', KEYS[2], 'dead', exactly(0 - spans))
redis.call('HINCRBY', KEYS[2], 'dead_bytes', exactly(0 - bytes))
redis.call('HINCRBY', KEYS[2], 'bytes', charged)
redis.call('HINCRBY', KEYS[2], 'replayed', spans)
return gone
