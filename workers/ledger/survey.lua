-- survey: how one integration stands, for whoever watches over it. Reads only, and of a long backlog only both ends.
-- KEYS: options, due, dead, webhooks by day, then per API its pause and its circuit
-- ARGV: integration, owed subjects to look at, dead letters to look at, 1 if the webhooks by day are wanted, names of the APIs
-- Answers {state, 1 if auto-update is on, owed, owed since (ms, '0' = nobody), dead, {reason, number, …}, {API in trouble, …},
--   now, {field, value, …}, reason of the state, since when (ms)}
local prefix = '{tltw:' .. ARGV[1] .. '}:s:'
local most_owed, most_dead = tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A customer that is edited again and again stays owed, but was brought over in between: that counts too.
-- What only a sweep wants may wait its turn: a sweep of 20,000 customers takes its time and is no outage.
local function waiting_since(subject)
  local why, first, synced = unpack(redis.call('HMGET', prefix .. subject, 'y', 'f', 's'))
  if not first or why == 's' then return math.huge end
  return math.max(tonumber(first), tonumber(synced or '0'))
end

-- First those that are due first (nobody took them up), then those that are due last (they failed most often).
local function owed_since(owed)
  local oldest, half = math.huge, math.floor(most_owed / 2)
  local function look(subjects)
    for _, subject in ipairs(subjects) do oldest = math.min(oldest, waiting_since(subject)) end
  end
  if owed <= most_owed then
    look(redis.call('ZRANGE', KEYS[2], 0, -1))
  else
    look(redis.call('ZRANGE', KEYS[2], 0, half - 1))
    look(redis.call('ZRANGE', KEYS[2], -half, -1))
  end
  return oldest == math.huge and '0' or string.format('%.0f', oldest)
end

-- Why the newest dead letters died.
local function reasons()
  local numbers, flat = {}, {}
  for _, subject in ipairs(redis.call('ZRANGE', KEYS[3], -most_dead, -1)) do
    local reason = redis.call('HGET', prefix .. subject, 'r') or ''
    numbers[reason] = (numbers[reason] or 0) + 1
  end
  for reason, number in pairs(numbers) do
    flat[#flat + 1] = reason
    flat[#flat + 1] = number
  end
  return flat
end

local function in_trouble()
  local names = {}
  for i = 5, #ARGV do
    local pause, circuit = KEYS[(i - 5) * 2 + 5], KEYS[(i - 5) * 2 + 6]
    local paused = tonumber(redis.call('GET', pause) or '0') > now
    if paused or redis.call('HEXISTS', circuit, 'u') == 1 then names[#names + 1] = ARGV[i] end
  end
  return names
end

local options = redis.call('HMGET', KEYS[1], 'state', 'auto_update', 'state_reason', 'state_since')
local owed = redis.call('ZCARD', KEYS[2])
local days = ARGV[4] == '1' and redis.call('HGETALL', KEYS[4]) or {}
return {options[1] or 'active', options[2] == 'on' and 1 or 0, owed, owed_since(owed), redis.call('ZCARD', KEYS[3]), reasons(),
  in_trouble(), string.format('%.0f', now), days, options[3] or '', options[4] or '0'}
