-- One pace for all relays: so many recipients a second, divided among delegates and, of each, among relays.
--
-- KEYS[1]: the lane, a hash. KEYS[2]: what relays told last, by relay. KEYS[3]: what each may send, by relay.
-- ARGV: 1 the relay; 2 the rate that SES told, 3 the operator's bound ('' for none); 4 recipients that SES took, 5 1
-- when it throttled since; 6 recipients wanted ahead, 7 of the message that goes next, 8 given back; 9 JSON: what
-- delegates need a second, [[name, recipients, how many delegates that is], ...]; 10 1 when nobody waits any more; 11
-- what may go at once, in seconds of the pace.
-- Returns JSON: granted, a second for this relay, 1 if there is too little for all, relays, a second for all,
-- when to come again (seconds), recipients that SES ever took, [[name, a second], ...] of this relay's delegates.
--
-- The speed follows relay/sending/pace/speed.py, with what got through at all relays. It begins more carefully: many
-- relays have many calls under way when the limit is met, and the lane is remembered when relays are started again.
local FIRST, MORE, SLOT, HEADROOM, CUT, GOT_THROUGH, SAVED_UP = 100, 1.5, 0.2, 0.98, 0.9, 0.95, 1
local NEARLY, QUICKLY, SLOWLY, CALM, ONE_MOMENT, LEAST, UNTOLD, SLOTS = 0.97, 0.1, 0.01, 20, 0.5, 0.5, 1e6, 5
-- How long a relay goes without a word, and what it may save up, in seconds.
local SILENCE, SAVED = 1.5, 0.3
-- How many relays are many.
local MANY = 30

local burst = tonumber(ARGV[11])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local relay, wanted_now, head = ARGV[1], tonumber(ARGV[6]), tonumber(ARGV[7])
local back, is_leaving = tonumber(ARGV[8]), ARGV[10] == '1'

local lane = {}
local raw = redis.call('HGETALL', KEYS[1])
for place = 1, #raw, 2 do lane[raw[place]] = tonumber(raw[place + 1]) end
if ARGV[2] ~= '' then lane.told = tonumber(ARGV[2]) end
lane.wanted = tonumber(ARGV[3])
-- Where the clock was set back, or another server leads now, nothing would go until it is again what it was.
for _, name in ipairs({ 'at', 'divided', 'slowed_at', 'throttled_at' }) do
  if lane[name] then lane[name] = math.min(lane[name], now) end
end

-- The speed.
local limit = lane.told and math.max(LEAST, lane.told * HEADROOM) or UNTOLD
if lane.wanted then limit = math.min(limit, lane.wanted) end

local function speed_now()
  if not lane.throttled_at then return limit end
  local waited = math.max(0, now - lane.throttled_at)
  local nearly = math.max(lane.cut_to, lane.too_much * NEARLY)
  local quick = (nearly - lane.cut_to) / (lane.too_much * QUICKLY)
  if waited < quick then return math.min(limit, lane.cut_to + lane.too_much * QUICKLY * waited) end
  local calm = math.min(waited - quick, 200)
  local grown = nearly * (1 + SLOWLY) ^ calm * 2 ^ ((calm / CALM) ^ 2)
  if grown >= limit then lane.throttled_at = nil end
  return math.min(limit, grown)
end

local slot = math.floor(now / SLOT)
lane.slot = math.min(lane.slot or slot, slot)
if lane.slot < slot then
  local last = 0
  for place = 0, SLOTS - 1 do last = last + (lane['through' .. place] or 0) end
  lane.most_through = math.max(lane.most_through or 0, last / (SLOT * SLOTS))
  local passed = math.min(slot - lane.slot, SLOTS)
  for place = SLOTS - 1, 0, -1 do
    lane['through' .. place] = place >= passed and (lane['through' .. (place - passed)] or 0) or 0
  end
  lane.slot = slot
end
local accepted = tonumber(ARGV[4])
lane.through0 = (lane.through0 or 0) + accepted
lane.sent = (lane.sent or 0) + accepted

if ARGV[5] == '1' and not (lane.throttled_at and now - lane.throttled_at < ONE_MOMENT) then
  local speed, through = speed_now(), 0
  for place = 0, SLOTS - 1 do through = through + (lane['through' .. place] or 0) end
  through = through / (SLOT * (SLOTS - 1) + now % SLOT)
  local is_known = through >= LEAST
  -- As long as it goes ever faster, what got through in a second is what SES bears and what it had saved up.
  local is_new = not lane.throttled_at and not lane.wanted and math.max(FIRST, MORE * (lane.most_through or 0)) < speed
  local borne = is_new and through / (1 + SAVED_UP) or through
  lane.cut_to = math.max(LEAST, is_known and math.min(speed * CUT, borne * GOT_THROUGH) or speed * CUT)
  lane.too_much = math.max(lane.cut_to, is_known and math.min(speed, through) or speed * CUT)
  lane.throttled_at = now
end
local speed = speed_now()
if not lane.wanted then speed = math.min(speed, math.max(FIRST, MORE * (lane.most_through or 0))) end
-- While there is too little for all, what answers that came late did not use is not lost: nobody has used it at SES.
local most = math.max(1, speed * (lane.scarce == 1 and math.max(burst, SAVED) or burst))
if lane.speed and speed < lane.speed * 0.7 then
  -- What was granted at a greater speed is no debt at this one: SES refused it, or takes it as a burst.
  lane.room, lane.slowed_at = 0, now
end
lane.speed = speed
lane.room = math.min(most, (lane.room or most) + math.max(0, now - (lane.at or now)) * speed + back)
lane.at = math.max(now, lane.at or now)

-- What this relay told, and what it may have saved up.
local mine = redis.call('HGET', KEYS[2], relay)
mine = mine and cmsgpack.unpack(mine)
if is_leaving then
  redis.call('HDEL', KEYS[2], relay)
else
  local kept = { heard = now, at = mine and mine.at or now, credit = (mine and mine.credit or 0) + back }
  kept.is_new, kept.needs = not mine, cjson.decode(ARGV[9])
  mine = kept
  redis.call('HSET', KEYS[2], relay, cmsgpack.pack(mine))
end

-- Divides what there is so that nobody who has less could have more by taking it from one who has more.
-- parts: { need, weight }; sets part.share; returns what nobody needs.
local function divide(parts, there)
  table.sort(parts, function(one, other) return one.need / one.weight < other.need / other.weight end)
  local weights = 0
  for _, part in ipairs(parts) do weights = weights + part.weight end
  for _, part in ipairs(parts) do
    part.share = math.min(part.need, there * part.weight / weights)
    there, weights = there - part.share, weights - part.weight
  end
  return math.max(0, there)
end

local function divide_among_all()
  local relays, delegates, names, number = {}, {}, {}, 0
  local told = redis.call('HGETALL', KEYS[2])
  for place = 1, #told, 2 do
    local report = cmsgpack.unpack(told[place + 1])
    if math.abs(now - report.heard) > SILENCE then
      redis.call('HDEL', KEYS[2], told[place])
    else
      number = number + 1
      relays[told[place]] = { rate = 0, of = {} }
      for _, need in ipairs(report.needs) do
        local delegate = delegates[need[1]]
        if not delegate then
          delegate = { need = 0, weight = 0, parts = {} }
          delegates[need[1]] = delegate
          names[#names + 1] = need[1]
        end
        delegate.need = delegate.need + need[2]
        delegate.weight = math.max(delegate.weight, need[3])
        table.insert(delegate.parts, { need = need[2], weight = need[3], relay = told[place] })
      end
    end
  end
  local parts = {}
  for _, name in ipairs(names) do parts[#parts + 1] = delegates[name] end
  local spare = divide(parts, speed)
  for _, name in ipairs(names) do
    divide(delegates[name].parts, delegates[name].share)
    for _, part in ipairs(delegates[name].parts) do
      local its = relays[part.relay]
      its.rate = its.rate + part.share
      its.of[#its.of + 1] = { name, part.share }
    end
  end
  redis.call('DEL', KEYS[3])
  for name, its in pairs(relays) do
    its.rate = its.rate + spare / number
    redis.call('HSET', KEYS[3], name, cmsgpack.pack({ its.rate, its.of }))
  end
  lane.relays, lane.scarce, lane.divided = number, spare > speed * 0.02 and 0 or 1, now
end

local tick = math.max(0.1, (lane.relays or 1) * 0.0005)
local rate = not is_leaving and redis.call('HGET', KEYS[3], relay)
-- Of few relays who comes or goes is seen at once; many that come at once would have all divided among all each time.
local is_news = (is_leaving or not rate) and (lane.relays or 0) < MANY
if is_news or now - (lane.divided or 0) >= tick / 2 then
  divide_among_all()
  rate = not is_leaving and redis.call('HGET', KEYS[3], relay)
end
tick = math.max(0.1, lane.relays * 0.0005)

local granted, pause, of = 0, tick, {}
-- As long as nobody told a rate, nothing is given ahead: it may be far too much.
local ahead = (lane.told or lane.wanted) and 1.5 * tick or 0
if is_leaving then
  rate = 0
elseif not rate then
  rate, pause = 0, tick / 2
else
  rate, of = unpack(cmsgpack.unpack(rate))
  local save = mine.is_new and burst or math.max(0, now - mine.at)
  mine.credit = math.min(rate * math.max(burst, SAVED), mine.credit + rate * save)
  if lane.slowed_at and mine.at <= lane.slowed_at then mine.credit = math.max(mine.credit, 0) end
  mine.at, mine.is_new = now, nil
  local there = math.min(lane.room + speed * ahead, mine.credit + rate * ahead)
  if there > 0 then
    granted = math.min(wanted_now, math.max(there, head))
  elseif wanted_now > 0 then
    local whole = math.max(0, -(lane.room + speed * ahead)) / speed
    pause = math.max(0.02, math.min(1, math.max(whole, -(mine.credit + rate * ahead) / math.max(rate, 1e-3))))
  end
  mine.credit = mine.credit - granted
  lane.room = lane.room - granted
  redis.call('HSET', KEYS[2], relay, cmsgpack.pack(mine))
end

local kept, gone = {}, {}
for _, name in ipairs({ 'told', 'throttled_at', 'cut_to', 'too_much', 'most_through', 'slot', 'sent', 'room', 'at',
                        'relays', 'scarce', 'divided', 'speed', 'slowed_at', 'through0', 'through1', 'through2', 'through3', 'through4' }) do
  if lane[name] then
    kept[#kept + 1], kept[#kept + 2] = name, string.format('%.17g', lane[name])
  else
    gone[#gone + 1] = name
  end
end
redis.call('HSET', KEYS[1], unpack(kept))
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
redis.call('EXPIRE', KEYS[1], 86400)
redis.call('EXPIRE', KEYS[2], 60)
redis.call('EXPIRE', KEYS[3], 60)
return cjson.encode({ granted, rate, lane.scarce, lane.relays, speed, pause, lane.sent, of })
