-- Takes over what one holder whose lease has ended left sending.
-- ARGV: who takes it, the seconds of a lease, '1' to look at all that is being sent.
-- Returns a row each.
local holder, lease, looks_at_all = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local LONGEST = 600 -- seconds of a lease, unless ours is longer
local time = now()
redis.call('ZADD', key('holders'), written(time + lease), holder)
local lapsed = redis.call('ZRANGE', key('holders'), '-inf', written(time), 'BYSCORE')
if #lapsed == 0 and not looks_at_all then return {} end
if looks_at_all then -- a lease by the clock of another server, which had the spool before, would last for ever
  local latest = written(time + math.max(lease, LONGEST))
  for _, by in ipairs(redis.call('ZRANGE', key('holders'), '(' .. latest, '+inf', 'BYSCORE')) do
    redis.call('ZADD', key('holders'), latest, by)
  end
end

local left, dead = {}, nil
for _, id in ipairs(redis.call('ZRANGE', key('state', 'sending'), 0, -1)) do
  local by = redis.call('HGET', key('e', id), 'by') or ''
  if by ~= holder then
    local till = redis.call('ZSCORE', key('holders'), by)
    if not till or tonumber(till) <= time then
      left[by] = left[by] or {}
      table.insert(left[by], id)
      dead = dead or by
    end
  end
end
for _, by in ipairs(lapsed) do
  if not left[by] then redis.call('ZREM', key('holders'), by) end
end

local answer = {}
for _, id in ipairs(dead and left[dead] or {}) do
  redis.call('HSET', key('e', id), 'by', holder)
  answer[#answer + 1] = row(id)
end
return answer
