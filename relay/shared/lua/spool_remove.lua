-- Forgets an entry and its message.
-- ARGV: id, the version that it must have or ''.
-- Returns whether there was one, and the octets and the number of messages that are kept now.
local id, version = ARGV[1], ARGV[2]
local found = redis.call('HGET', key('e', id), 'version')
local removed = 0
if found and (version == '' or version == found) then
  forget(id)
  removed = 1
end
local octets, messages = totals()
return {removed, octets, messages}
