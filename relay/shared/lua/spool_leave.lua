-- Ends a lease: what the holder reserved is anybody's, and what it left sending is found at once.
-- ARGV: the holder.
local found = redis.call('HGETALL', key('reserved'))
for place = 1, #found, 2 do
  if string.sub(found[place + 1], 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then
    redis.call('HDEL', key('reserved'), found[place])
  end
end
redis.call('ZADD', key('holders'), 0, ARGV[1])
return 1
