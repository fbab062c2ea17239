-- renew: a consumer says of entries that it still works on them; XCLAIM alone would also take them back from another
-- consumer that claimed them while this one was frozen.
-- KEYS: stream   ARGV: group, consumer, entry ids...   Answer: the ids that are not this consumer's any more.
local lost = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
  else
    lost[#lost + 1] = id
  end
end
return lost
