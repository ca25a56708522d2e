-- Makes the lease of a holder longer; without one, only looks.
-- ARGV: the holder or '', the seconds of a lease, the name of the spool.
-- Returns the time (seconds, microseconds), whether the spool has that name, and what is kept: octets, messages.
local holder, lease, name = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if holder ~= '' then redis.call('ZADD', key('holders'), written(now() + lease), holder) end
local time = redis.call('TIME')
local octets, messages = totals()
return {tonumber(time[1]), tonumber(time[2]), redis.call('HGET', root, 'name') == name and 1 or 0, octets, messages}
