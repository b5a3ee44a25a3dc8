-- still mine? Asked before every call to an API, above all before the write. Renews the lease.
-- ARGV: integration, subject, token, lease ms, 1 if auto-update must be on, 1 if a write follows
-- KEYS[10]: pause of the API that will be called
-- Answers 'mine', 'lost', 'off' (auto-update) or 'paused'.
local token, lease, gated, writes = ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1', ARGV[6] == '1'

if closed() then return 'lost' end
if get('t') ~= token then return 'lost' end
if gated and not auto_update_on() then return 'off' end
if tonumber(redis.call('GET', KEYS[10]) or '0') > now then return 'paused' end
redis.call('HSET', SUBJECT, 'l', now + lease)
schedule(now + lease)
-- From here until the commit nobody knows what Twikey holds: a fingerprint would be a guess.
if writes then redis.call('HDEL', SUBJECT, 'h') end
return 'mine'
