-- Names what is due, fairly among delegates and among all who have the spool.
-- ARGV: seconds since the epoch, the most in all, the most of a delegate, the delegate that the last answer ended with,
-- who asks, the seconds for which nobody else is told of it, then the ids to be left out.
-- Returns the delegate that the next answer begins after, then a row each.
local at, limit, most, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local holder, seconds = ARGV[5], tonumber(ARGV[6])
local DEEPEST = 4096 -- entries of a delegate that others have, before we take it that they have all
local time = now()
local busy = {}
for place = 7, #ARGV do busy[ARGV[place]] = true end

local function is_anothers(reserved)
  if not reserved then return false end
  local by, till = string.match(reserved, '^(%S+) (%S+)$')
  till = tonumber(till)
  return by ~= holder and till > time and till <= time + seconds -- later: by a clock that is no more
end

local function is_due(id, delegate)
  local found = redis.call('HMGET', key('e', id), 'state', 'delegate')
  if found[1] == 'due' and found[2] == delegate then return true end
  redis.call('ZREM', key('due', delegate), id) -- changed behind our back: it is found by its id
  return false
end

local function heads(delegate)
  local found, offset, page = {}, 0, math.min(most + #ARGV - 6, 1000)
  repeat
    local ids = redis.call('ZRANGE', key('due', delegate), '-inf', at, 'BYSCORE', 'LIMIT', offset, page)
    local reserved = #ids > 0 and redis.call('HMGET', key('reserved'), unpack(ids)) or {}
    for place, id in ipairs(ids) do
      if #found < most and not busy[id] and not is_anothers(reserved[place]) and is_due(id, delegate) then
        found[#found + 1] = {id, reserved[place]}
      end
    end
    offset = offset + page
  until #found >= most or #ids < page or offset >= DEEPEST
  return found
end

local before, order = {}, {}
for _, delegate in ipairs(redis.call('ZRANGE', key('delegates'), 0, -1)) do
  if delegate > last then order[#order + 1] = delegate else before[#before + 1] = delegate end
end
for _, delegate in ipairs(before) do order[#order + 1] = delegate end

local known, taken, is_more = {}, {}, true
for turn = 1, most do
  if #taken >= limit or not is_more then break end
  is_more = false
  for _, delegate in ipairs(order) do
    if #taken >= limit then break end
    known[delegate] = known[delegate] or heads(delegate)
    local head = known[delegate][turn]
    if head then
      taken[#taken + 1] = head
      last, is_more = delegate, true
    end
  end
end

local answer = {last}
for _, head in ipairs(taken) do
  local id, reserved = head[1], head[2]
  local by, till = string.match(reserved or '', '^(%S+) (%S+)$')
  -- Not made longer while it lasts: who cannot send it must not keep it from those who can.
  if by ~= holder or tonumber(till) <= time or tonumber(till) > time + seconds then
    redis.call('HSET', key('reserved'), id, holder .. ' ' .. written(time + seconds))
  end
  answer[#answer + 1] = row(id)
end
return answer
