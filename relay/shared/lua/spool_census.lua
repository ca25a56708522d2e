-- Counts: the octets in all, when the oldest that is not settled was accepted or '', then the messages in each state.
local octets = totals()
local oldest = ''
for _, state in ipairs({'due', 'sending', 'held'}) do
  local first = redis.call('ZRANGE', key('state', state), 0, 0, 'WITHSCORES')[2]
  if first and (oldest == '' or tonumber(first) < tonumber(oldest)) then oldest = first end
end
local answer = {octets, oldest}
for _, state in ipairs(STATES) do answer[#answer + 1] = redis.call('ZCARD', key('state', state)) end
return answer
