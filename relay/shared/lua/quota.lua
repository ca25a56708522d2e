-- What SES told of an account and region, asked by one relay for all.
--
-- KEYS[1]: the lane of pace.lua. KEYS[2]: what was told. ARGV: 1 seconds for which it is fresh, 2 seconds that a relay
-- which was let ask has for it; and, to tell: 3 the rate, 4 the most a day, 5 sent in the last day.
-- Returns 'ask' (this relay may), 'wait' (another asks), or {rate, most a day, sent until now}.
local now = tonumber(redis.call('TIME')[1])
local sent = tonumber(redis.call('HGET', KEYS[1], 'sent') or 0)
if ARGV[3] then
  redis.call('HSET', KEYS[2], 'rate', ARGV[3], 'most', ARGV[4], 'sent', ARGV[5], 'at', now, 'counted', sent)
  redis.call('EXPIRE', KEYS[2], 3600)
end
local told = redis.call('HMGET', KEYS[2], 'rate', 'most', 'sent', 'at', 'counted', 'asked')
-- What lies ahead was written by a clock that was set back since: nobody knows how old it is.
local age = math.abs(now - tonumber(told[4] or 0))
local is_told = told[1] and age < 900
if not is_told or age >= tonumber(ARGV[1]) then
  if math.abs(now - tonumber(told[6] or 0)) >= tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[2], 'asked', now)
    redis.call('EXPIRE', KEYS[2], 3600)
    return 'ask'
  end
  if not is_told then return 'wait' end
end
return { told[1], told[2], tostring(tonumber(told[3]) + math.max(0, sent - tonumber(told[5]))) }
