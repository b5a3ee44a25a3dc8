-- take: a bulk process asks to be the one that works on the job.
-- ARGV: member, token, lease ms
-- Answers {'taken', its record}, or why not: {'over'}, {'leased'}, {'held'} (the integration is not active).
local token, lease = ARGV[2], tonumber(ARGV[3])
local HELD_FOR, KILLS = 5000, 5

if not under_way() then
  redis.call('ZREM', TURNS, member)
  return {'over'}
end
if number('lease') > now then
  turn_at(number('lease'))
  return {'leased'}
end
-- Asked while the process that was killed since was on it.
if obey() then return {'over'} end
local integration = redis.call('HGET', OPTIONS, 'state') or 'active'
if integration == 'closed' then
  finish('cancelled', 'closed', 'The integration was closed.')
  return {'over'}
end
if integration ~= 'active' then
  release()
  redis.call('HSET', JOB, 'state', 'waiting', 'reason', integration, 'sentence',
    'The integration is held (' .. integration .. '); it goes on by itself once it is active again.')
  turn_at(now + HELD_FOR)
  return {'held'}
end
if number('claims') >= KILLS then
  finish('failed', 'kills_worker', 'Every process that went on with it died before it was a step further.')
  return {'over'}
end
redis.call('HINCRBY', JOB, 'claims', 1)
redis.call('HSET', JOB, 'token', token, 'lease', now + lease, 'state', 'running')
turn_at(now + lease)
return {'taken', record()}
