-- sweep: acknowledge what a consumer holds although it is no longer in the stream; Redis 6.2 would offer it for ever.
-- KEYS: stream   ARGV: group, consumer   Answer: how many there were.
local after, swept = '-', 0
while true do
  local page = redis.call('XPENDING', KEYS[1], ARGV[1], after, '+', 500, ARGV[2])
  for _, each in ipairs(page) do
    if #redis.call('XRANGE', KEYS[1], each[1], each[1]) == 0 then
      swept = swept + redis.call('XACK', KEYS[1], ARGV[1], each[1])
    end
    after = '(' .. each[1]
  end
  if #page < 500 then return swept end
end
