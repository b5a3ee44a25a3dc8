-- commit: the work came to an outcome.
-- ARGV: integration, subject, token, want at the claim, causes of the run, outcome, reason, fingerprint, updated_at, lease ms, 1 to hold it,
--       when it was claimed (ms)
-- KEYS[10..]: the circuits of the APIs that answered well
-- Answers {'settled'}, {'again'} (it changed meanwhile), {'verify'} or {'lost'}.
local token, seen, causes, outcome, reason = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local fingerprint, updated_at, lease, hold = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11] == '1'

if get('t') ~= token then return lost(causes) end
for i = 10, #KEYS do redis.call('DEL', KEYS[i]) end
release_lease()
if outcome == 'synced' or outcome == 'unchanged' then
  redis.call('HSET', SUBJECT, 's', now)
  if fingerprint ~= '' then redis.call('HSET', SUBJECT, 'h', fingerprint) end
  if updated_at ~= '' then redis.call('HSET', SUBJECT, 'u', updated_at) end
end

if get('w') ~= seen then
  record('again', outcome)
  schedule(now)
  return {'again'}
end
local verify = number('v')
if verify == 1 then verify = now + 2 * lease end
if verify > now then
  redis.call('HSET', SUBJECT, 'v', verify)
  record('verify', outcome)
  schedule(verify)
  return {'verify'}
end
settle(outcome, reason)
if hold then
  redis.call('ZADD', HELD, now, subject)
  redis.call('HSET', SUBJECT, 'hy', merged(get('hy'), causes))
elseif outcome ~= 'skipped' and auto_update_on() and tonumber(redis.call('ZSCORE', HELD, subject) or 'inf') < tonumber(ARGV[12]) then
  -- All that it was held for. Not so after an operator's sync while the option is off (which leaves CC and invoicing
  -- address alone), nor for what was held after the customer had been read, nor after a skip for another reason.
  redis.call('ZREM', HELD, subject)
  redis.call('HDEL', SUBJECT, 'hy')
end
return {'settled'}
