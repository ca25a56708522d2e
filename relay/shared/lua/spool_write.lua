-- Writes an entry over its version.
-- ARGV: id, the version that it must have, the states that it must be in between blanks or '', who begins an attempt,
-- or who alone may take one back, or '', the seconds of a lease, the SHA-256 of its message, then name and value of each column.
-- Returns '', or why it is not written: 'changed', or the SHA-256 that its message has.
local id, version, states, by, lease, digest = unpack(ARGV, 1, 6)
local old = redis.call('HMGET', key('e', id), 'version', 'state', 'digest')
if old[1] ~= version then return 'changed' end
if states ~= '' and not string.find(states, ' ' .. old[2] .. ' ', 1, true) then return 'changed' end
if old[3] ~= digest then return {old[3] or ''} end
local columns = {}
for place = 7, #ARGV, 2 do columns[ARGV[place]] = ARGV[place + 1] end
if by ~= '' and columns.state ~= 'sending' and redis.call('HGET', key('e', id), 'by') ~= by then return 'changed' end
leave(id)
redis.call('HSET', key('e', id), unpack(ARGV, 7))
if columns.state ~= 'sending' then
  redis.call('HDEL', key('e', id), 'by')
elseif by ~= '' then
  redis.call('HSET', key('e', id), 'by', by)
  redis.call('ZADD', key('holders'), written(now() + tonumber(lease)), by)
end
enter(id)
return ''
