-- What became known after a number, in order. KEYS: meta, known, order. ARGV: the number, the most rows, the most octets.
-- Answers: now (us), epoch, the last number, the number to go on from, {name, row ...}; a row that cannot be one is empty.
local time = redis.call('TIME')
local found = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]))
local rows, octets, upto = {}, 0, tonumber(ARGV[1])
for i = 1, #found, 2 do
  local length = redis.call('HSTRLEN', KEYS[2], found[i])
  if octets > 0 and octets + length > tonumber(ARGV[3]) then break end
  local is_good = length > 0 and length <= 524288 and #found[i] <= 512
  rows[#rows + 1] = found[i]:sub(1, 512)
  rows[#rows + 1] = is_good and redis.call('HGET', KEYS[2], found[i]) or ''
  octets = octets + length
  upto = tonumber(found[i + 1])
end
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
if #found == 0 then upto = math.max(upto, seq) end
return {time[1] * 1000000 + time[2], redis.call('HGET', KEYS[1], 'epoch') or '', seq, upto, rows}
