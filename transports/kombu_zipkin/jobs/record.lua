-- record: write changes of jobs' records.
-- KEYS: the index of all jobs
-- ARGV: now (ms), time to live of a finished job's record, of an open one's (ms), how many records at most,
--       then for each change: the job's id, whether it was only now published (1 or 0), how many texts follow, names
--       and values of its fields
local now, ttl, open_ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local i = 5
while i < #ARGV do
  local count, fields = tonumber(ARGV[i + 2]), {}
  for j = 1, count do fields[j] = ARGV[i + 2 + j] end
  write(ARGV[i], fields, ARGV[i + 1] == '1', now, ttl, open_ttl)
  i = i + 3 + count
end
trim(tonumber(ARGV[4]))
