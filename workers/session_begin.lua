-- session_begin: an operator signed in.
-- KEYS: session, sessions of the operator, last sign-ins. ARGV: hashed id, operator, epoch, browser, idle ms, longest ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ARGV[6]
redis.call('HSET', KEYS[1], 'o', ARGV[2], 'p', ARGV[3], 'u', ARGV[4], 'b', now, 's', now, 'e', ends)
redis.call('PEXPIRE', KEYS[1], math.min(ARGV[5], ARGV[6]))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], ends, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('HSET', KEYS[3], ARGV[2], now)
return 1
