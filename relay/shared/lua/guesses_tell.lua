-- What was tried at a door, kept for a day and told. KEYS: the stream. ARGV: what, channel, the most entries.
-- Answers: the entry's name, which begins with the time in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entry = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'g', ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', now - 86400000))
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('PUBLISH', ARGV[2], entry .. ' ' .. ARGV[1])
return entry
