-- Shared by give_back and restore. A claimed message lies in kombu's hash as '[<message>,"","<queue>"]', which is what
-- kombu itself writes for a message of the default exchange; its tag ends with the priority step of its list.

-- Put a claimed message back into the list it came from. A member is added to the message, which is a JSON object, to say
-- that it has been delivered before: the message is not parsed, for Lua's cjson would write it differently.
-- Answer: 1, or 0 where nobody holds it any more.
local function take_back(index, unacked, tag, prefix, separator, at_front, member)
  local kept = redis.call('HGET', unacked, tag)
  redis.call('ZREM', index, tag)
  if not kept then return 0 end
  local start, _, name = string.find(kept, ',"",("[^"]*")%]$')
  if not start then return 0 end
  redis.call('HDEL', unacked, tag)
  local message = string.sub(kept, 2, start - 1)
  if string.sub(message, -1) == '}' and string.sub(message, -#member - 1) ~= member .. '}' then
    message = string.sub(message, 1, -2) .. ',' .. member .. '}'
  end
  local key = prefix .. cjson.decode('[' .. name .. ']')[1]
  local step = string.match(tag, '%.(%d+)$')
  if step ~= '0' then key = key .. separator .. step end
  redis.call(at_front and 'RPUSH' or 'LPUSH', key, message)
  return 1
end
