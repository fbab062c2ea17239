-- claim: take messages off their lists and record them as unacknowledged, in one step, by the server's clock.
-- KEYS: unacked_index, unacked, then the lists to take from
-- ARGV: how many, tag up to its number, then for each list: its group (lists of one group take turns, and an earlier
--       group is emptied first), its priority step, and what closes its entries in the hash (empty: not recorded)
-- Answer: for each message the number of its list, its tag, the message.
local limit, head = tonumber(ARGV[1]), ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] .. '.' .. string.format('%06d', clock[2])
local claimed, count = {}, 0

local function take(list)
  local message = redis.call('RPOP', KEYS[list + 2])
  if not message then return false end
  count = count + 1
  local step, close = ARGV[3 * list + 1], ARGV[3 * list + 2]
  local tag = head .. '.' .. count .. '.' .. step
  if close ~= '' then
    redis.call('ZADD', KEYS[1], now, tag)
    redis.call('HSET', KEYS[2], tag, '[' .. message .. close)
  end
  claimed[#claimed + 1] = list
  claimed[#claimed + 1] = tag
  claimed[#claimed + 1] = message
  return true
end

local first, lists = 1, #KEYS - 2
while first <= lists and count < limit do
  local last = first
  while last < lists and ARGV[3 * (last + 1)] == ARGV[3 * first] do last = last + 1 end
  local found = true
  while found and count < limit do
    found = false
    for list = first, last do
      if count < limit and take(list) then found = true end
    end
  end
  first = last + 1
end
return claimed
