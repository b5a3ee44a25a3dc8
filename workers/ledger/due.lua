-- due: hands the clock the subjects to wake, a few of each integration, within what that integration may do now.
-- KEYS[1]: the index of integrations by their earliest due time, KEYS[2]: when a clock last looked
-- ARGV: subjects at most in all, wake-ups of one integration that may be on their way, time until a lost wake-up is repeated (ms),
--       default calls per minute
-- Answers two flat lists: integration, subject, … to wake; integration, number, … of held subjects to release
local most, share, again_after, default_limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SCAN, RELEASE_BELOW, CLOSED_FOR, PROBED_FOR = 200, 50, 5000, 500
local WINDOW = 60500 -- ms; why not a minute: workers/clients/teamleader/rate_limit.lua
local found, to_release = {}, {}
redis.call('SET', KEYS[2], now)

local function later(integration, at) redis.call('ZADD', KEYS[1], at, integration) end

-- Until when the integration must not be woken, or 0.
local function closed_until(prefix)
  local state = redis.call('HGET', prefix .. 'options', 'state') or 'active'
  if state ~= 'active' then return now + CLOSED_FOR end
  local closed = 0
  for _, api in ipairs({'teamleader', 'twikey'}) do
    closed = math.max(closed, tonumber(redis.call('GET', prefix .. 'pause:' .. api) or '0'))
    local circuit = redis.call('HMGET', prefix .. 'circuit:' .. api, 'u', 'p')
    local open = tonumber(circuit[1] or '0')
    -- Somebody probes; look again soon whether that closed the circuit.
    if open > now and circuit[2] then open = math.min(open, now + PROBED_FOR) end
    closed = math.max(closed, open)
  end
  return closed > now and closed or 0
end

local function free_calls(prefix)
  local calls = prefix .. 'calls:teamleader'
  while tonumber(redis.call('LINDEX', calls, 0) or 'inf') <= now - WINDOW do redis.call('LPOP', calls) end
  local limit = tonumber(redis.call('HGET', prefix .. 'options', 'calls_per_minute') or default_limit)
  local oldest = tonumber(redis.call('LINDEX', calls, 0) or now)
  return limit - redis.call('LLEN', calls), oldest + WINDOW
end

-- Switching auto-update on catches up: how many held subjects may become owed now.
local function room_for_held(prefix)
  if redis.call('HGET', prefix .. 'options', 'auto_update') ~= 'on' then return 0 end
  return math.min(RELEASE_BELOW - redis.call('ZCARD', prefix .. 'due'), redis.call('ZCARD', prefix .. 'held'))
end

local function wake_some_of(integration)
  local prefix = '{tltw:' .. integration .. '}:'
  local closed = closed_until(prefix)
  if closed > 0 then return later(integration, closed) end
  local room_held = room_for_held(prefix)
  if room_held > 0 then
    to_release[#to_release + 1] = integration
    to_release[#to_release + 1] = room_held
  end
  local free, free_at = free_calls(prefix)
  if free <= 0 then return later(integration, free_at) end
  local due = prefix .. 'due'
  -- Those woken lately that nobody has claimed yet are due again within that time.
  local on_their_way = redis.call('ZCOUNT', due, '(' .. now, now + again_after)
  local room = math.max(0, math.min(share - on_their_way, free, most - #found / 2))
  for _, subject in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room)) do
    redis.call('ZADD', due, now + again_after, subject)
    found[#found + 1] = integration
    found[#found + 1] = subject
  end
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  local again = redis.call('EXISTS', prefix .. 'held') == 1 and now + CLOSED_FOR or nil
  -- Not earlier than now: an integration with a backlog goes behind those that were not served yet.
  if first[2] then again = math.min(again or math.huge, math.max(now, tonumber(first[2]))) end
  if again then return later(integration, again) end
  redis.call('ZREM', KEYS[1], integration)
end

for _, integration in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, SCAN)) do
  if #found / 2 >= most then break end
  wake_some_of(integration)
end
return {found, to_release}
