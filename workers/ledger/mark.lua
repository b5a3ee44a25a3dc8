-- mark: an event says "look at this subject".
-- ARGV: integration, subject, cause letters, 1 if automatic, event id, delay ms, key of the event id if it must be new
-- Answers {'accepted', 1 when a wake-up is useful}, {'skipped'}, {'duplicate'} or {'closed'}.
local causes, automatic, event, delay, seen = ARGV[3], ARGV[4] == '1', ARGV[5], tonumber(ARGV[6]), ARGV[7]
local WAKE_UP_TO = 16 -- beyond this many owed subjects the clock paces the work; more messages would only queue
local SEEN_SECONDS = 86400
local HOUR, DAY, DAYS_KEPT = 3600000, 86400000, 42

-- Webhooks of edits by day, and when the first of a day came: what is usual, so that silence can be noticed. Days begin
-- an hour before UTC's, which is midnight in Brussels (one o'clock in summer).
local function count_webhook()
  local day = math.floor((now + HOUR) / DAY)
  if redis.call('HINCRBY', WEBHOOKS, day, 1) > 1 then return end
  redis.call('HSET', WEBHOOKS, 'f' .. day, now)
  for _, field in ipairs(redis.call('HKEYS', WEBHOOKS)) do
    if tonumber(string.match(field, '%d+')) < day - DAYS_KEPT then redis.call('HDEL', WEBHOOKS, field) end
  end
end

if closed() then return {'closed'} end
if seen ~= '' and not redis.call('SET', seen, '1', 'NX', 'EX', SEEN_SECONDS) then return {'duplicate'} end
if string.find(causes, '[wax]') then count_webhook() end

if automatic and not auto_update_on() then
  count('accepted')
  count('skipped')
  count('skipped:auto_update_off')
  hold_for(causes)
  redis.call('HSET', SUBJECT, 'e', event)
  if redis.call('HEXISTS', SUBJECT, 'w') == 0 and redis.call('ZSCORE', DEAD, subject) == false then
    redis.call('HSET', SUBJECT, 'o', 'skipped', 'r', 'auto_update_off', 'k', now)
  end
  record('skipped', 'auto_update_off')
  remember('skipped', 'auto_update_off', causes)
  return {'skipped'}
end

local owed = want(causes, event, now + delay)
record('marked', causes, event)
local useful = not owed and delay == 0 and redis.call('ZCARD', DUE) <= WAKE_UP_TO
return {'accepted', useful and 1 or 0}
