-- change_state: active, paused, reconnect_needed: only from the state it is believed to be in.
-- KEYS: options, index of integrations. ARGV: integration, before, after. Answers 1 or 0.
if (redis.call('HGET', KEYS[1], 'state') or 'active') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[3])
redis.call('ZADD', KEYS[2], 'LT', 0, ARGV[1])
return 1
