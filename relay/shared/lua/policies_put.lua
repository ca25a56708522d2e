-- What the holder of the lease read, for all relays.
-- KEYS: lease, meta, known, order, asked. ARGV: me, epoch, channel, then name, read at (us), row of each; the row is ''
-- for a name that nobody needs to be told of any more. The name '' stands for the list.
-- Answers: 1, or 0 where the lease or the epoch is another's.
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[2] then return 0 end

for i = 4, #ARGV, 3 do
  local name, read_at, row = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if row == '' then
    redis.call('HDEL', KEYS[3], name)
    redis.call('ZREM', KEYS[4], name)
  else
    redis.call('HSET', KEYS[3], name, row)
    redis.call('ZADD', KEYS[4], redis.call('HINCRBY', KEYS[2], 'seq', 1), name)
  end
  local asked = name ~= '' and redis.call('ZSCORE', KEYS[5], name)
  if asked and tonumber(asked) <= tonumber(read_at) then redis.call('ZREM', KEYS[5], name) end
  if name == '' then
    for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', read_at, 'LIMIT', 0, 1000)) do
      if each ~= '' and redis.call('HEXISTS', KEYS[3], each) == 0 then redis.call('ZREM', KEYS[5], each) end
    end
  end
end
redis.call('PUBLISH', ARGV[3], 'rows')
return 1
