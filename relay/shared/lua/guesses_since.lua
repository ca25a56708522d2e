-- What was told since. KEYS: the stream. ARGV: the last entry known, '-' for none; the most entries.
-- Answers: now (ms), {entry, {'g', what}} ...
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local from = ARGV[1] == '-' and string.format('%.0f', now - 86400000) or '(' .. ARGV[1]
return {now, redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', tonumber(ARGV[2]))}
