-- give_back: put claimed messages back, at the front or the back of their lists.
-- KEYS: unacked_index, unacked
-- ARGV: prefix of the lists' keys, separator before a priority step, 'front' or 'back',
--       why (empty: as kombu marks a redelivery; else the attempt counts as lost, for this reason, a JSON text), tags...
-- Answer: how many went back.
local count = 0
for i = 5, #ARGV do
  local member = '"redelivered":true'
  if ARGV[4] ~= '' then member = '"lost:' .. ARGV[i] .. '":' .. ARGV[4] end
  count = count + take_back(KEYS[1], KEYS[2], ARGV[i], ARGV[1], ARGV[2], ARGV[3] == 'front', member)
end
return count
