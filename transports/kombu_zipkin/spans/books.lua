-- books: everything that the ledger needs, at one moment.
-- KEYS: stream, totals, dead, producers   ARGV: most entries, most bytes, prefix of a producer's key
-- Answer: now in epoch milliseconds, the totals, (producer id, its books)..., and unless stream and dead letters are too
-- long to be counted here: the spans in the stream, the spans in the dead letters.
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local books = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
  books[#books + 1] = id
  books[#books + 1] = redis.call('HGETALL', ARGV[3] .. id)
end
local answer = {now, redis.call('HGETALL', KEYS[2]), books}
local held = redis.call('HMGET', KEYS[2], 'bytes', 'dead_bytes')
local length = redis.call('XLEN', KEYS[1]) + redis.call('XLEN', KEYS[3])
if length > tonumber(ARGV[1]) or tonumber(held[1] or 0) + tonumber(held[2] or 0) > tonumber(ARGV[2]) then
  return answer
end
local function count(key, name)
  local spans, after = 0, '-'
  while true do
    local page = redis.call('XRANGE', key, after, '+', 'COUNT', 100)
    for _, each in ipairs(page) do
      for i = 1, #each[2], 2 do
        local value = each[2][i + 1]
        if each[2][i] == name and string.match(value, '^%d+$') then spans = spans + tonumber(value) end
      end
      after = '(' .. each[1]
    end
    if #page < 100 then return spans end
  end
end
answer[4], answer[5] = string.format('%.0f', count(KEYS[1], 'n')), string.format('%.0f', count(KEYS[3], 'spans'))
return answer
