-- commit: the work came to an outcome.
-- ARGV: integration, subject, token, want at the claim, causes of the run, outcome, reason, fingerprint, updated_at, lease ms, 1 to hold it,
--       when it was claimed (ms), number of APIs that answered well
-- KEYS[10..]: the circuits of the APIs that answered well, then those of the APIs that were not asked
-- Answers {'settled'}, {'again'} (it changed meanwhile), {'verify'} or {'lost'}.
local token, seen, causes, outcome, reason = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local fingerprint, updated_at, lease, hold = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11] == '1'
local claimed = tonumber(ARGV[12])

if closed() then return {'lost'} end
if get('t') ~= token then return lost(causes) end
for i = 10, #KEYS do
  if i < 10 + tonumber(ARGV[13]) then redis.call('DEL', KEYS[i]) else give_probe_back(KEYS[i], token) end
end
release_lease()
-- Also when it is looked at again: who is edited all the time would else die of failures that lie weeks apart.
redis.call('HDEL', SUBJECT, 'a', 'ff')
if outcome == 'synced' or outcome == 'unchanged' then
  brought(outcome == 'synced')
  if fingerprint ~= '' then redis.call('HSET', SUBJECT, 'h', fingerprint) end
end
if updated_at ~= '' then redis.call('HSET', SUBJECT, 'u', updated_at) end

-- Done, and yet not at its end: the story tells why it is looked at again.
local function not_yet(why)
  local waited, worked = ms_since(number('f')), ms_since(claimed)
  record(why, outcome, nil, waited, worked)
  remember(why, outcome, causes, waited, worked)
end

if get('w') ~= seen then
  not_yet('again')
  return once_more()
end
local verify = number('v')
if verify == 1 then verify = now + 2 * lease end
if verify > now then
  redis.call('HSET', SUBJECT, 'v', verify)
  not_yet('verify')
  schedule(verify)
  return {'verify'}
end
settle(outcome, reason, claimed)
-- An automatic event that was served together with an operator's, while off, got less than the full update.
local automatic = string.gsub(causes, '[^wais]', '')
if hold then
  hold_for(causes)
elseif automatic ~= '' and outcome ~= 'gone' and not auto_update_on() then
  hold_for(automatic)
elseif outcome ~= 'skipped' and auto_update_on() and tonumber(redis.call('ZSCORE', HELD, subject) or 'inf') < claimed then
  -- All that it was held for. Not so after an operator's sync while the option is off (which leaves CC and invoicing
  -- address alone), nor for what was held after the customer had been read, nor after a skip for another reason.
  redis.call('ZREM', HELD, subject)
  redis.call('HDEL', SUBJECT, 'hy')
end
return {'settled'}
