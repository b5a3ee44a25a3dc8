-- The calls of the last minute to Teamleader, of all our processes. The ledger's claim takes from the same list.
-- KEYS[1]: list of times (ms), oldest first
-- ARGV: 'take', calls per minute
--       Answers 0 when a call was free, else after how many ms one will be.
--    or 'correct', calls that should be counted at least, ms until the oldest of them leaves the window
--       Adds calls we do not know of, evenly spread over their time, until that many are counted. Answers how many it added.
--    or 'bulk', calls per minute, calls that are left to live work
--       As 'take', for a bulk job. KEYS[2]: list of the times of bulk calls; KEYS[3]: what is owed, by due time;
--       KEYS[4], KEYS[5]: pause and circuit of Teamleader. At most half of the budget while live work is due within a
--       minute, all but the reserve otherwise; never more than a tenth of that in six seconds, so that calls come free
--       all the time.
-- Teamleader counts a sliding minute, but by when a call reaches it: a little after it was counted here, and not always
-- equally long. Half a second more than a minute keeps two neighbouring calls from being one too many (seen: 201 of 200).
local WINDOW = 60500
local calls = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function forget_old(list)
  local oldest = tonumber(redis.call('LINDEX', list, 0) or 'inf')
  while oldest <= now - WINDOW do
    redis.call('LPOP', list)
    oldest = tonumber(redis.call('LINDEX', list, 0) or 'inf')
  end
end

local function note_call(list)
  redis.call('RPUSH', list, now)
  redis.call('PEXPIRE', list, WINDOW)
end

-- How long until fewer than `most` of the list's calls are younger than `age`.
local function wait_for(list, most, age)
  local call = redis.call('LINDEX', list, -most)
  return call and math.max(0, tonumber(call) + age - now) or 0
end

forget_old(calls)
local counted = redis.call('LLEN', calls)
local wanted = tonumber(ARGV[2])

if ARGV[1] == 'take' then
  if counted >= wanted then
    -- With a smaller share than others have, more than one call must leave first.
    return tonumber(redis.call('LINDEX', calls, counted - wanted)) + WINDOW - now
  end
  note_call(calls)
  return 0
end

if ARGV[1] == 'bulk' then
  local mine = KEYS[2]
  forget_old(mine)
  local closed = math.max(tonumber(redis.call('GET', KEYS[4]) or '0'), tonumber(redis.call('HGET', KEYS[5], 'u') or '0'))
  if closed > now then return closed - now end
  -- A subject in work, one that waits for a free call and one whose wake-up is on its way are all due within a minute.
  local live = redis.call('ZCOUNT', KEYS[3], '-inf', now + WINDOW) > 0
  local all = math.max(1, wanted - tonumber(ARGV[3]))
  local share = live and math.max(1, math.floor(wanted / 2)) or all
  local wait = math.max(wait_for(calls, all, WINDOW), wait_for(mine, share, WINDOW),
    wait_for(mine, math.ceil(share / 10), WINDOW / 10))
  if wait > 0 then return math.ceil(wait) end
  note_call(calls)
  note_call(mine)
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
