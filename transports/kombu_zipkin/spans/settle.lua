-- settle: entries whose spans have reached Zipkin, or became dead letters, leave the stream and enter the books.
-- KEYS: stream, totals, dead
-- ARGV: group, byte budget of the dead letters (0: none), number of entries, (entry id, delivered spans, bytes charged,
--       number of dead letters, then for each: its number of fields and values, (field, value)...)...
-- Answer: how many entries were still there. One that was settled before, by whomever, changes nothing.
-- Acknowledge and delete first: under OOM a script may free memory, then write; never the other way round.
local at, settled = 4, 0
local held = redis.call('XLEN', KEYS[3]) > 0 and tonumber(redis.call('HGET', KEYS[2], 'dead_bytes') or 0) or 0
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local delivered, bytes, dead, dead_bytes, dead_trimmed = 0, 0, 0, 0, 0
for _ = 1, tonumber(ARGV[3]) do
  local id, good, charged, letters = take(), tonumber(take()), tonumber(take()), tonumber(take())
  redis.call('XACK', KEYS[1], ARGV[1], id)
  local ours = redis.call('XDEL', KEYS[1], id) == 1
  for _ = 1, letters do
    local width = tonumber(take())
    if ours then
      redis.call('XADD', KEYS[3], '*', unpack(ARGV, at, at + width - 1))
      local spans, size = weigh({unpack(ARGV, at, at + width - 1)})
      dead, dead_bytes = dead + spans, dead_bytes + size
    end
    at = at + width
  end
  if ours then
    settled, delivered, bytes = settled + 1, delivered + good, bytes + charged
  end
end

local budget = tonumber(ARGV[2])
if dead_bytes > 0 then
  held = held + dead_bytes
  while budget > 0 and held > budget do
    local oldest = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
    if not oldest then -- emptied by somebody
      held = 0
      break
    end
    local spans, size = weigh(oldest[2])
    redis.call('XDEL', KEYS[3], oldest[1])
    dead, dead_trimmed, held = dead - spans, dead_trimmed + spans, held - size
  end
  redis.call('HSET', KEYS[2], 'dead_bytes', exactly(math.max(held, 0)))
end
if settled > 0 then
  redis.call('HINCRBY', KEYS[2], 'delivered', exactly(delivered))
  redis.call('HINCRBY', KEYS[2], 'bytes', exactly(0 - bytes))
end
if dead ~= 0 then redis.call('HINCRBY', KEYS[2], 'dead', exactly(dead)) end
if dead_trimmed > 0 then redis.call('HINCRBY', KEYS[2], 'dead_trimmed', exactly(dead_trimmed)) end
return settled
