-- The calls of the last minute to Teamleader, of all our processes. The ledger's claim takes from the same list.
-- KEYS[1]: list of times (ms), oldest first
-- ARGV: 'take', calls per minute
--       Answers 0 when a call was free, else after how many ms one will be.
--    or 'correct', calls that should be counted at least, ms until the oldest of them leaves the window
--       Adds calls we do not know of, evenly spread over their time, until that many are counted. Answers how many it added.
local WINDOW = 60000
local calls = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local oldest = tonumber(redis.call('LINDEX', calls, 0) or 'inf')
while oldest <= now - WINDOW do
  redis.call('LPOP', calls)
  oldest = tonumber(redis.call('LINDEX', calls, 0) or 'inf')
end
local counted = redis.call('LLEN', calls)
local wanted = tonumber(ARGV[2])

if ARGV[1] == 'take' then
  if counted >= wanted then
    -- With a smaller share than others have, more than one call must leave first.
    return tonumber(redis.call('LINDEX', calls, counted - wanted)) + WINDOW - now
  end
  redis.call('RPUSH', calls, now)
  redis.call('PEXPIRE', calls, WINDOW)
  return 0
end

local missing = wanted - counted
if missing <= 0 then return 0 end
local times = redis.call('LRANGE', calls, 0, -1)
local first = now - WINDOW + math.max(1, math.min(tonumber(ARGV[3]), WINDOW))
for i = 0, missing - 1 do times[#times + 1] = first + math.floor((now - first) * i / missing) end
table.sort(times, function(one, other) return tonumber(one) < tonumber(other) end)
redis.call('DEL', calls)
for _, time in ipairs(times) do redis.call('RPUSH', calls, time) end
redis.call('PEXPIRE', calls, WINDOW)
return missing
