-- check: try every command that the scripts use, so that a user who lacks a right is told before anything is counted.
-- KEYS: a scratch key, gone again afterwards   ARGV: commands, DEL first   Answer: those that this user may not run.
local key = KEYS[1]
local tries = {
  ['DEL'] = {'DEL', key},
  ['HGET'] = {'HGET', key, 'a'},
  ['HGETALL'] = {'HGETALL', key},
  ['HINCRBY'] = {'HINCRBY', key, 'a', '1'},
  ['HMGET'] = {'HMGET', key, 'a'},
  ['HSET'] = {'HSET', key, 'a', '1'},
  ['TIME'] = {'TIME'},
  ['XACK'] = {'XACK', key, 'g', '1-1'},
  ['XADD'] = {'XADD', key, '1-1', 'a', '1'},
  ['XCLAIM'] = {'XCLAIM', key, 'g', 'c', '0', '1-1'},
  ['XDEL'] = {'XDEL', key, '1-1'},
  ['XGROUP DELCONSUMER'] = {'XGROUP', 'DELCONSUMER', key, 'g', 'c'},
  ['XINFO GROUPS'] = {'XINFO', 'GROUPS', key},
  ['XLEN'] = {'XLEN', key},
  ['XPENDING'] = {'XPENDING', key, 'g'},
  ['XRANGE'] = {'XRANGE', key, '-', '+'},
  ['ZADD'] = {'ZADD', key, '1', 'a'},
  ['ZRANGE'] = {'ZRANGE', key, '0', '-1'},
  ['ZRANGEBYSCORE'] = {'ZRANGEBYSCORE', key, '-inf', '+inf'},
  ['ZREM'] = {'ZREM', key, 'a'},
}
local lacking = {}
for _, command in ipairs(ARGV) do
  local answer = redis.pcall(unpack(tries[command])) -- any other error is of no interest here
  if type(answer) == 'table' and answer.err then
    local words = string.lower(answer.err)
    if string.find(words, 'permission') or string.find(words, 'acl') or string.find(words, 'the user executing') then
      lacking[#lacking + 1] = command
    end
  end
  if lacking[1] == 'DEL' then return lacking end -- nothing could be cleared away
  redis.pcall('DEL', key)
end
return lacking
