-- change_state: connecting, active, paused, reconnect_needed, closed; only from the state it is believed to be in.
-- KEYS: options, index of integrations. ARGV: integration, before (empty: whatever it is), after, reason. Answers 1 or 0.
local before = redis.call('HGET', KEYS[1], 'state') or 'active'
if ARGV[2] ~= '' and before ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'state_reason', ARGV[4])
if before ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'state_since', time[1] * 1000 + math.floor(time[2] / 1000))
end
if ARGV[3] ~= 'closed' then redis.call('ZADD', KEYS[2], 'LT', 0, ARGV[1]) end
return 1
