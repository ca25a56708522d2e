-- Who asks SES for one account and region; what relays say that they use and want read again.
-- KEYS: lease, relays, used, asked, meta, known, order.
-- ARGV: me, the lease in ms, since when used and asked are wanted (us), an epoch if a new one begins, how long in use (us),
--       a number of used names, these, a number of asked names, these ('' for everything).
-- Answers: now (us), whether the lease is mine, relays, epoch, the last number, {used, us ...}, {asked, us ...}.
local me, ttl = ARGV[1], tonumber(ARGV[2])
local since_used, since_asked, in_use = ARGV[3], ARGV[4], tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end

-- What was written by a clock that has been set back since would look younger than it is: all of it is forgotten, and
-- written again by relays, whose own clocks know the ages. So it is when the server has let go of a part.
local epoch = redis.call('HGET', KEYS[5], 'epoch')
local last = tonumber(redis.call('HGET', KEYS[5], 'last') or '0')
local seq = tonumber(redis.call('HGET', KEYS[5], 'seq') or '0')
local whole = seq == 0 or redis.call('EXISTS', KEYS[6], KEYS[7]) == 2
if not epoch or not whole or now < last - 250000 then
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[6], KEYS[7])
  if epoch then redis.call('ZADD', KEYS[4], text(now), '') end
  epoch, seq = ARGV[5], 0
  redis.call('HSET', KEYS[5], 'epoch', epoch, 'seq', 0)
end
redis.call('HSET', KEYS[5], 'last', text(now))

local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('SET', KEYS[1], me, 'PX', ttl)
  holder = me
elseif holder == me then
  redis.call('PEXPIRE', KEYS[1], ttl)
end

redis.call('ZADD', KEYS[2], text(now), me)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now - 2 * ttl * 1000))

local next, count = 8, tonumber(ARGV[7])
for i = next, next + count - 1 do
  local before = redis.call('ZSCORE', KEYS[3], ARGV[i])
  if not before or now - tonumber(before) > in_use / 12 then redis.call('ZADD', KEYS[3], text(now + i), ARGV[i]) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - in_use))
next = next + count
count = tonumber(ARGV[next])
for i = next + 1, next + count do redis.call('ZADD', KEYS[4], text(now + i), ARGV[i]) end
if redis.call('ZCARD', KEYS[4]) > 10000 then
  redis.call('DEL', KEYS[4])
  redis.call('ZADD', KEYS[4], text(now), '')
end

local asked = {}
if holder == me then
  for i = 2, 7 do redis.call('EXPIRE', KEYS[i], 172800) end
  asked = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. since_asked, '+inf', 'WITHSCORES', 'LIMIT', 0, 1000)
end
local used = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. since_used, '+inf', 'WITHSCORES', 'LIMIT', 0, 1000)
return {now, holder == me and 1 or 0, redis.call('ZCARD', KEYS[2]), epoch, seq, used, asked}
