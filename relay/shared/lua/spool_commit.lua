-- Keeps a new entry, with the message or with pieces that were brought before.
-- ARGV: id, bound on octets, octets that an entry counts beside its message, who commits, the seconds for which nobody
-- else is told that it is due, token of the pieces or '', their number, the message unless in pieces, then name and
-- value of each column.
-- Returns a word, and the octets and the number of messages that are kept now.
local id, bound, beside, by = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local reserved, token = tonumber(ARGV[5]), ARGV[6]
local octets, messages = totals()
if redis.call('EXISTS', key('e', id)) == 1 then return {'taken', octets, messages} end
local columns = {}
for place = 9, #ARGV, 2 do columns[ARGV[place]] = ARGV[place + 1] end
local size = tonumber(columns.size)
if octets + size + (messages + 1) * beside > bound then return {'full', octets, messages} end
if token ~= '' then
  if redis.call('LLEN', key('new', token)) ~= tonumber(ARGV[7]) then return {'lost', octets, messages} end
  redis.call('RENAME', key('new', token), key('b', id))
  redis.call('PERSIST', key('b', id))
else
  redis.call('HSET', key('e', id), 'raw', ARGV[8])
end
redis.call('HSET', key('e', id), unpack(ARGV, 9))
if columns.state == 'sending' then redis.call('HSET', key('e', id), 'by', by) end
redis.call('ZADD', key('ids'), 0, id)
enter(id)
if reserved > 0 and by ~= '' and columns.state == 'due' then
  redis.call('HSET', key('reserved'), id, by .. ' ' .. written(now() + reserved))
end
return {'kept', octets + size, messages + 1}
