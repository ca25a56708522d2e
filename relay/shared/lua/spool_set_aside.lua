-- Quarantines an entry that cannot be read: whatever its columns say now, it stays by its id until it is removed.
-- ARGV: id, why. Returns whether that is new.
local id = ARGV[1]
local state = redis.call('HGET', key('e', id), 'state')
if not state or state == 'quarantined' then return 0 end
leave(id)
local columns = redis.call('HMGET', key('e', id), 'accepted_at', 'size', 'version')
redis.call('HSET', key('e', id), 'state', 'quarantined', 'said', ARGV[2], 'version', octets_of(columns[3]) + 1)
redis.call('HDEL', key('e', id), 'by')
redis.call('ZADD', key('state', 'quarantined'), octets_of(columns[1]), id)
redis.call('HINCRBY', root, 'octets:quarantined', octets_of(columns[2]))
return 1
