-- append: one batch of spans onto the stream, and its producer's counts into the books.
-- KEYS: stream, totals, producer, producers
-- ARGV: producer id, sequence, spans (0: a report, counts only), bytes charged, byte budget (0: none), policy
--       ("refuse_newest" or "drop_oldest"), group, acknowledged, created, number of causes, (cause, dropped)...,
--       (field, value)... of the entry
-- Answer: "appended", "repeated" (this sequence is in already; nothing changes), "full" (over the budget; nothing is
-- appended and the sequence stays free), "reported".
-- Scripts do not roll back: first look and judge, then the stream's commands (deletions before additions), counts last.
local id, sequence, spans, charged = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local budget, policy, group = tonumber(ARGV[5]), ARGV[6], ARGV[7]
local acknowledged, created, causes = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
if not (sequence and spans and charged and budget and acknowledged and created and causes) then
  return redis.error_reply('ERR append: expected numbers in ARGV 2..5 and 8..10')
end
local first = 11 + 2 * causes -- of the entry's fields
local function number(text) return text and string.match(text, '^%d+$') and tonumber(text) or 0 end
local function weigh(fields) -- an entry's spans and the bytes it is charged
  local named = {}
  for i = 1, #fields, 2 do named[fields[i]] = fields[i + 1] end
  return number(named.n), number(named.z)
end
if spans > 0 then
  local promised, priced = weigh({unpack(ARGV, first)})
  if promised ~= spans or priced ~= charged then
    return redis.error_reply("ERR append: the entry's fields n and z differ from ARGV 3 and 4")
  end
end

local function unread() -- the id after which no relay has read anything yet
  for _, each in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local named = {}
    for i = 1, #each, 2 do named[each[i]] = each[i + 1] end
    if named.name == group then return named['last-delivered-id'] end
  end
  return '0-0'
end

-- The oldest entries that no relay has read, just enough of them to free so many bytes; nil where they are too few.
-- One that a relay holds stays: it may have reached Zipkin already, and would be counted twice.
local function oldest(wanted, length)
  local found = {ids = {}, spans = 0, bytes = 0}
  local after = unread()
  while found.bytes < wanted do
    local page = redis.call('XRANGE', KEYS[1], '(' .. after, '+', 'COUNT', 3)
    if #page == 0 then return #found.ids == length and found or nil end
    for _, each in ipairs(page) do
      if found.bytes >= wanted then break end
      local n, z = weigh(each[2])
      found.ids[#found.ids + 1], found.spans, found.bytes = each[1], found.spans + n, found.bytes + z
      after = each[1]
    end
  end
  return found
end

local known = redis.call('HMGET', KEYS[3], 's', 'accepted', 'vanished')
local last, accepted, vanished = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)
if spans > 0 and sequence <= last then return 'repeated' end

local answer, trimmed, held = 'reported', 0, 0
if spans > 0 then
  answer = 'appended'
  local length = redis.call('XLEN', KEYS[1])
  if length > 0 then held = tonumber(redis.call('HGET', KEYS[2], 'bytes') or 0) end -- else it was emptied by somebody
  if budget > 0 and length > 0 and held + charged > budget then
    local old = policy == 'drop_oldest' and oldest(held + charged - budget, length)
    if old then
      for _, each in ipairs(old.ids) do redis.call('XDEL', KEYS[1], each) end
      trimmed, held = old.spans, #old.ids == length and 0 or held - old.bytes
    else
      answer = 'full'
    end
  end
  if answer == 'appended' then redis.call('XADD', KEYS[1], '*', unpack(ARGV, first)) end
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
  redis.call('HSET', KEYS[2], 'bytes', string.format('%.0f', held + charged))
  if trimmed > 0 then redis.call('HINCRBY', KEYS[2], 'trimmed', trimmed) end
end
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
redis.call('HSET', KEYS[3], 'created', ARGV[9], 'seen', now)
for i = 1, causes do
  redis.call('HSET', KEYS[3], 'dropped:' .. ARGV[9 + 2 * i], ARGV[10 + 2 * i])
end
redis.call('ZADD', KEYS[4], now, id)
return answer
