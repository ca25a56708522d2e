-- Names what a holder is sending, as far as the server knows.
-- ARGV: the holder, then the ids to be left out. Returns a row each.
local busy = {}
for place = 2, #ARGV do busy[ARGV[place]] = true end
local answer = {}
for _, id in ipairs(redis.call('ZRANGE', key('state', 'sending'), 0, -1)) do
  if not busy[id] and redis.call('HGET', key('e', id), 'by') == ARGV[1] then answer[#answer + 1] = row(id) end
end
return answer
