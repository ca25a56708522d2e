-- Removes failed entries past their retention, and the oldest of too many.
-- ARGV: seconds since the epoch, the octets that failed entries may have, the most that are removed for each reason.
-- Returns the ids of the first kind, and of the second.
local at, bound, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local expired = redis.call('ZRANGE', key('until'), '-inf', at, 'BYSCORE', 'LIMIT', 0, most)
for _, id in ipairs(expired) do forget(id) end
local crowded = {}
while #crowded < most and tonumber(redis.call('HGET', root, 'octets:failed') or 0) > bound do
  local id = redis.call('ZRANGE', key('state', 'failed'), 0, 0)[1]
  if not id then break end
  forget(id)
  crowded[#crowded + 1] = id
end
return {expired, crowded}
