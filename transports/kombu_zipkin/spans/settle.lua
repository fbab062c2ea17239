-- settle: entries whose spans have reached Zipkin, or became dead letters, leave the stream and enter the books.
-- KEYS: stream, totals, dead
-- ARGV: group, number of entries, (entry id, delivered spans, bytes charged, number of dead records,
--       then for each dead record: its spans, its number of fields, (field, value)...)...
-- Answer: how many entries were still there. One that was settled before, by whomever, changes nothing.
-- Acknowledge and delete first: under OOM a script may free memory, then write; never the other way round.
local at, settled = 3, 0
local function take()
  at = at + 1
  return ARGV[at - 1]
end
for _ = 1, tonumber(ARGV[2]) do
  local id, delivered, charged, records = take(), tonumber(take()), tonumber(take()), tonumber(take())
  redis.call('XACK', KEYS[1], ARGV[1], id)
  local ours = redis.call('XDEL', KEYS[1], id) == 1
  for _ = 1, records do
    local spans, width = tonumber(take()), tonumber(take())
    if ours then
      redis.call('XADD', KEYS[3], '*', unpack(ARGV, at, at + width - 1))
      redis.call('HINCRBY', KEYS[2], 'dead', spans)
    end
    at = at + width
  end
  if ours then
    settled = settled + 1
    redis.call('HINCRBY', KEYS[2], 'delivered', delivered)
    redis.call('HINCRBY', KEYS[2], 'bytes', string.format('%.0f', 0 - charged))
  end
end
return settled
