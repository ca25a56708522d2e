-- What all scripts of the spool have in common.
--
-- KEYS[1], the root, is a hash: the schema, the spool's name, and the octets in each state. All other keys begin with
-- it, so they have its hash tag and lie in its slot; those that are named by what is found are not listed in KEYS.
--   ROOT:e:ID        hash: the row of an entry; "by": who is sending it; "raw": its message, unless in ROOT:b:ID
--   ROOT:b:ID        list: the pieces of a large message
--   ROOT:new:TOKEN   list: pieces that no entry has yet; it expires
--   ROOT:ids         sorted set: all ids, by name
--   ROOT:state:STATE sorted set: ids, by accepted_at
--   ROOT:due:NAME    sorted set: ids of a delegate that are due, by due_at
--   ROOT:delegates   sorted set: who has a ROOT:due:NAME, by name
--   ROOT:until       sorted set: ids that have failed, by due_at
--   ROOT:reserved    hash: by id, who was told last that it is due, and until when nobody else is
--   ROOT:holders     sorted set: who has the spool open, by the end of the lease
local root = KEYS[1]
local STATES = {'due', 'sending', 'held', 'failed', 'quarantined'}
local OCTETS = {}
for place, state in ipairs(STATES) do OCTETS[place] = 'octets:' .. state end
local COLUMNS = {'state', 'delegate', 'due_at', 'accepted_at', 'size', 'version', 'entry', 'digest', 'seal'}

local function key(kind, name)
  return root .. ':' .. kind .. (name and ':' .. name or '')
end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function written(number)
  return string.format('%.6f', number)
end

local function row(id)
  local found = redis.call('HMGET', key('e', id), unpack(COLUMNS))
  table.insert(found, 1, id)
  return found
end

local function totals()
  local octets = 0
  for _, kept in ipairs(redis.call('HMGET', root, unpack(OCTETS))) do octets = octets + tonumber(kept or 0) end
  return octets, redis.call('ZCARD', key('ids'))
end

-- Octets, whatever somebody wrote there behind our back.
local function octets_of(size)
  local number = tonumber(size)
  return number and number >= 0 and number < 2 ^ 40 and math.floor(number) or 0
end

-- Takes an entry out of the indexes of a state; tells whether it was there.
local function leave_state(state, id, delegate, size)
  if redis.call('ZREM', key('state', state), id) == 0 then return false end
  redis.call('HINCRBY', root, 'octets:' .. state, 0 - octets_of(size))
  if state == 'due' then
    redis.call('HDEL', key('reserved'), id)
    redis.call('ZREM', key('due', delegate), id)
    if redis.call('EXISTS', key('due', delegate)) == 0 then redis.call('ZREM', key('delegates'), delegate) end
  elseif state == 'failed' then
    redis.call('ZREM', key('until'), id)
  end
  return true
end

-- Takes an entry out of the indexes of the state it is in, also where that was changed behind our back.
local function leave(id)
  local state, delegate, size = unpack(redis.call('HMGET', key('e', id), 'state', 'delegate', 'size'))
  if leave_state(state or '', id, delegate or '', size) then return end
  for _, other in ipairs(STATES) do leave_state(other, id, delegate or '', size) end
end

-- Puts an entry into the indexes of the state that its hash says it is in.
local function enter(id)
  local new = redis.call('HMGET', key('e', id), 'state', 'delegate', 'due_at', 'accepted_at', 'size')
  local state, delegate, due_at, accepted_at, size = unpack(new)
  redis.call('ZADD', key('state', state), accepted_at, id)
  redis.call('HINCRBY', root, 'octets:' .. state, size)
  if state == 'due' then
    redis.call('ZADD', key('due', delegate), due_at, id)
    redis.call('ZADD', key('delegates'), 0, delegate)
  elseif state == 'failed' then
    redis.call('ZADD', key('until'), due_at, id)
  end
end

local function forget(id)
  leave(id)
  redis.call('ZREM', key('ids'), id)
  redis.call('UNLINK', key('e', id), key('b', id))
end
