-- Tells the first due_at after ARGV[1], or nothing.
local first
for _, delegate in ipairs(redis.call('ZRANGE', key('delegates'), 0, -1)) do
  local found = redis.call('ZRANGE', key('due', delegate), '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  if found[2] and (not first or tonumber(found[2]) < tonumber(first)) then first = found[2] end
end
return first
