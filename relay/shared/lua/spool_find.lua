-- Lists entries by id, as far as a look at ARGV[3] of them goes.
-- ARGV: the id to begin after, the most that are wanted, the most that are looked at, what is wanted as JSON.
-- Returns the id to go on after, '' at the end, then a row each.
local after, limit, far = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local wanted = cjson.decode(ARGV[4])

local function among(list)
  if not list then return nil end
  local set = {}
  for _, each in ipairs(list) do set[each] = true end
  return set
end

local delegates, states = among(wanted.delegates), among(wanted.states)

local function is_wanted(id)
  local found = redis.call('HMGET', key('e', id), 'state', 'delegate', 'accepted_at', wanted.reason and 'said' or 'state')
  local state, delegate, accepted_at, said = unpack(found)
  return state
    and (not states or states[state])
    and (not delegates or delegates[delegate])
    and (not wanted.older_than or (tonumber(accepted_at) or 0) < wanted.older_than)
    and (not wanted.reason or (said and string.find(said, wanted.reason, 1, true)))
end

local ids
if wanted.ids then
  ids, far = wanted.ids, #wanted.ids + 1
else
  ids = redis.call('ZRANGE', key('ids'), after == '' and '-' or '(' .. after, '+', 'BYLEX', 'LIMIT', 0, far)
end
local answer = {''}
for place, id in ipairs(ids) do
  if is_wanted(id) then answer[#answer + 1] = row(id) end
  if #answer > limit or place == far then
    answer[1] = id
    break
  end
end
return answer
