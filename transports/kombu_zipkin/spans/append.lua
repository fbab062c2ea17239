-- append: one batch of spans onto the stream, and its producer's counts into the books.
-- KEYS: stream, totals, producer, producers
-- ARGV: producer id, sequence, spans (0: a report, counts only), bytes charged, byte budget (0: none), acknowledged,
--       created, number of causes, (cause, dropped)..., (field, value)... of the entry
-- Answer: "appended", "repeated" (this sequence is in already; nothing changes), "full" (over the budget; nothing is
-- appended and the sequence stays free), "reported".
-- Scripts do not roll back: what may be refused for memory comes before any count.
local id, sequence, spans, charged = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local budget, acknowledged, created, causes = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local known = redis.call('HMGET', KEYS[3], 's', 'accepted', 'vanished')
local last, accepted, vanished = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)

local answer = 'reported'
if spans > 0 then
  if sequence <= last then return 'repeated' end
  local held = tonumber(redis.call('HGET', KEYS[2], 'bytes') or 0)
  if budget > 0 and held + charged > budget and redis.call('XLEN', KEYS[1]) == 0 then
    redis.call('HDEL', KEYS[2], 'bytes') -- the stream was emptied behind our back, or this entry alone is over the budget
    held = 0 - charged
  end
  if budget > 0 and held + charged > budget then
    answer = 'full'
  else
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, 9 + 2 * causes))
    answer = 'appended'
  end
end

local lost = acknowledged - accepted - vanished
if lost > 0 then -- the server once acknowledged more than it remembers
  redis.call('HINCRBY', KEYS[3], 'vanished', lost)
  redis.call('HINCRBY', KEYS[2], 'vanished', lost)
end
if answer == 'appended' then
  redis.call('HSET', KEYS[3], 's', sequence)
  redis.call('HINCRBY', KEYS[3], 'accepted', spans)
  redis.call('HINCRBY', KEYS[2], 'appended', spans)
  redis.call('HINCRBY', KEYS[2], 'bytes', charged)
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[3], 'created', created, 'seen', string.format('%.0f', now))
for i = 1, causes do
  redis.call('HSET', KEYS[3], 'dropped:' .. ARGV[7 + 2 * i], ARGV[8 + 2 * i])
end
redis.call('ZADD', KEYS[4], string.format('%.0f', now), id)
return answer
