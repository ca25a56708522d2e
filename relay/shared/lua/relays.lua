-- Which relays are there. KEYS[1]: a sorted set, relay by when it was heard. ARGV: the relay, 1 when it leaves.
-- Returns how many there are.
local now = tonumber(redis.call('TIME')[1])
if ARGV[2] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 16)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 16, '+inf') -- by a clock that was set back since
redis.call('EXPIRE', KEYS[1], 60)
return redis.call('ZCARD', KEYS[1])
