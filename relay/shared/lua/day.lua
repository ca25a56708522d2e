-- A delegate's last 24 hours at all relays: what was counted, and what relays hold ahead of counting.
--
-- KEYS[1]: a hash. ARGV: 1 the relay, 2 the number of its news (what was counted once is not counted again), 3 the most
-- a day, 4 what the relay needs at once, 5 what it hopes to hold; then pairs: seconds ago, recipients.
-- Returns {held for the relay, counted in all, seconds until there is room for what it needs}.
local SPAN, DAY, HOLD = 300, 86400, 30
local now = tonumber(redis.call('TIME')[1])
local relay, news, most, need, hope = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local function count(at, recipients)
  redis.call('HINCRBY', KEYS[1], 'at:' .. math.floor(at / SPAN), recipients)
end

if #ARGV > 5 then
  local known = tonumber(string.match(redis.call('HGET', KEYS[1], 'news:' .. relay) or '0', '^%d+'))
  if news > known then
    for place = 6, #ARGV, 2 do count(now - tonumber(ARGV[place]), tonumber(ARGV[place + 1])) end
    redis.call('HSET', KEYS[1], 'news:' .. relay, news .. ' ' .. now)
  end
end

-- What a relay held and never told of may have been sent: it counts.
local raw = redis.call('HGETALL', KEYS[1])
for place = 1, #raw, 2 do
  local held, until_then = string.match(raw[place + 1], '^(%d+) (%d+)$')
  if string.sub(raw[place], 1, 5) == 'held:' and tonumber(until_then) <= now then
    redis.call('HDEL', KEYS[1], raw[place])
    if raw[place] ~= 'held:' .. relay then count(now, tonumber(held)) end
  elseif string.sub(raw[place], 1, 5) == 'news:' and tonumber(until_then) < now - DAY then
    redis.call('HDEL', KEYS[1], raw[place])
  end
end

local total, others, spans = 0, 0, {}
raw = redis.call('HGETALL', KEYS[1])
for place = 1, #raw, 2 do
  local kind = string.sub(raw[place], 1, 3)
  if kind == 'at:' then
    local span = tonumber(string.sub(raw[place], 4))
    if (span + 1) * SPAN <= now - DAY then
      redis.call('HDEL', KEYS[1], raw[place])
    else
      total = total + tonumber(raw[place + 1])
      spans[#spans + 1] = { span, tonumber(raw[place + 1]) }
    end
  elseif kind == 'hel' and raw[place] ~= 'held:' .. relay then
    others = others + tonumber(string.match(raw[place + 1], '^%d+'))
  end
end

local free, held, seconds = most - total - others, 0, 0
if need <= free then
  held = math.max(need, math.min(need + hope, math.floor(free / 2)))
else
  seconds = 1
  local over = total + need - most
  table.sort(spans, function(one, other) return one[1] < other[1] end)
  for _, span in ipairs(spans) do
    if over <= 0 then break end
    over, seconds = over - span[2], math.max(1, (span[1] + 1) * SPAN + DAY - now)
  end
end
if held > 0 then
  redis.call('HSET', KEYS[1], 'held:' .. relay, held .. ' ' .. (now + HOLD))
else
  redis.call('HDEL', KEYS[1], 'held:' .. relay)
end
redis.call('EXPIRE', KEYS[1], DAY + SPAN)
return { held, total, seconds }
