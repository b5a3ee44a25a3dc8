-- fail: the work did not come to an outcome; again later, or dead.
-- ARGV: integration, subject, token, want at the claim, causes of the run, reason, 'retry' | 'defer' | 'dead', delay ms, story (JSON),
--       1 if the API itself failed, failures that open the circuit, shortest and longest opening (ms),
--       1 if a write may still be done later by the API, which stopped answering, updated_at of what was read or '',
--       when it was claimed (ms), number of APIs that answered well, ms for which the API wants no calls
-- KEYS[10]: circuit of the API that failed, KEYS[11]: its pause, KEYS[12..]: the circuits of the APIs that answered well, then
-- those of the APIs that were not asked
-- Answers {'retry', when}, {'dead'}, {'again'} or {'lost'}.
local token, seen, causes, reason, action = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local delay, story, api_failed = tonumber(ARGV[8]), ARGV[9], ARGV[10] == '1'
local threshold, shortest, longest = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local claimed = tonumber(ARGV[16])

if closed() then return {'lost'} end
local circuit = redis.call('HMGET', KEYS[10], 'u', 'p')
local probe = circuit[2] == token
if api_failed then
  -- What was under way when the circuit opened says nothing new: only a probe may make it stay open for longer.
  if probe or tonumber(circuit[1] or '0') <= now then
    local failures = redis.call('HINCRBY', KEYS[10], 'n', 1)
    redis.call('PEXPIRE', KEYS[10], 86400000)
    if failures >= threshold then
      local opening = math.min(longest, shortest * 2 ^ math.min(failures - threshold, 16))
      redis.call('HSET', KEYS[10], 'u', now + math.floor(opening))
      redis.call('HDEL', KEYS[10], 'p')
    end
  end
else
  give_probe_back(KEYS[10], token)
end
for i = 12, #KEYS do
  if i < 12 + tonumber(ARGV[17]) then redis.call('DEL', KEYS[i]) else give_probe_back(KEYS[i], token) end
end
stay_away(KEYS[11], tonumber(ARGV[18]))

if get('t') ~= token then return lost(causes) end
release_lease()
-- The write that nobody waits for any more may land after the next one: look again two leases after that.
if ARGV[14] == '1' then redis.call('HSET', SUBJECT, 'v', '1') end

if action ~= 'defer' then figure('failed') end
local waited, worked = ms_since(number('f')), ms_since(claimed)
if action == 'dead' then
  if get('w') ~= seen then
    record('again', reason, nil, waited, worked)
    remember('again', reason, causes, waited, worked)
    return once_more()
  end
  bury(reason, story, claimed)
  -- Only a later edit makes it worth another try, so that no sweep digs up what a person must mend.
  if ARGV[15] ~= '' then redis.call('HSET', SUBJECT, 'u', ARGV[15]) end
  return {'dead'}
end
if action == 'retry' then
  redis.call('HINCRBY', SUBJECT, 'a', 1)
  redis.call('HSETNX', SUBJECT, 'ff', now)
end
local at = now + delay
if action == 'retry' and get('w') ~= seen then at = math.min(at, now + 1000) end
schedule(at)
record(action, reason, nil, waited, worked)
remember(action, reason, causes, waited, worked)
return {action, tostring(at)}
