-- Shared by publish, record and expire. One job's record is a hash; it is indexed by state, by state and task, by trace.
-- KEYS[1] is the index of all jobs; every other key begins with what it is called.
local INDEX = KEYS[1]
local A_DAY = 24 * 3600 * 1000
local FINAL = {succeeded = true, dead_lettered = true}
local TRIMMED_AT_ONCE = 200

-- A record outlasts its time a little, so that expire still finds by it what it is indexed under.
local function kept(lasting) return lasting + math.min(lasting, A_DAY) end
local function record_key(id) return INDEX .. ':job:' .. id end
local function trace_key(trace) return INDEX .. ':trace:' .. trace end
local function state_key(state) return INDEX .. ':state:' .. state end
local function task_key(state, task) return INDEX .. ':state:' .. state .. ':' .. task end

local function forget(id)
  local known = redis.call('HMGET', record_key(id), 'state', 'task', 'trace_id')
  redis.call('DEL', record_key(id))
  redis.call('ZREM', INDEX, id)
  for _, state in ipairs(known[1] and {known[1]} or {'queued', 'running', 'waiting', 'succeeded', 'dead_lettered'}) do
    redis.call('ZREM', state_key(state), id)
  end
  if known[1] then redis.call('ZREM', task_key(known[1], known[2] or ''), id) end
  if known[3] and known[3] ~= '' then redis.call('SREM', trace_key(known[3]), id) end
end

-- Write fields of one job and keep the indexes true. fields: a list name, value, name, value...
-- first: the job was published now; a worker that was quicker is not overwritten.
local function write(id, fields, first, now, ttl, open_ttl)
  local key, at = record_key(id), {}
  for i = 1, #fields, 2 do at[fields[i]] = i + 1 end
  local before = redis.call('HMGET', key, 'state', 'task')
  if first and before[1] and at.state then fields[at.state] = before[1] end
  redis.call('HSET', key, unpack(fields))
  local state = at.state and fields[at.state] or before[1]
  local task = at.task and fields[at.task] or before[2] or ''
  local lasting = FINAL[state] and ttl or open_ttl
  redis.call('PEXPIRE', key, kept(lasting))
  if before[1] ~= state then
    if before[1] then
      redis.call('ZREM', state_key(before[1]), id)
      redis.call('ZREM', task_key(before[1], before[2] or ''), id)
    else
      redis.call('ZADD', INDEX, 'NX', at.created_ms and fields[at.created_ms] or now, id)
      local trace = at.trace_id and fields[at.trace_id] or ''
      if trace ~= '' then
        redis.call('SADD', trace_key(trace), id)
        redis.call('PEXPIRE', trace_key(trace), open_ttl)
      end
    end
    redis.call('ZADD', state_key(state), now, id)
    redis.call('ZADD', task_key(state, task), now, id)
  end
end

-- Forget the oldest that succeeded while there are more than limit.
local function trim(limit)
  local over = redis.call('ZCARD', INDEX) - limit
  if over > 0 then
    local old = redis.call('ZRANGE', state_key('succeeded'), 0, math.min(over, TRIMMED_AT_ONCE) - 1)
    for _, id in ipairs(old) do forget(id) end
  end
end
