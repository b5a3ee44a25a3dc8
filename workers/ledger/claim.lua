-- claim: a worker asks to be the one that works on the subject.
-- ARGV: integration, subject, token, lease ms, jitter 0..1, then per API: name, calls per minute (0 = unlimited)
-- KEYS[10..]: per API its pause, circuit and calls keys.
-- Answers {'claimed', want, why, attempts, first failure, must write, auto-update, fingerprint, event, probing, wanted since, now,
--          last successful sync, revision of the integration}
-- or {'refused', reason, try again at (ms)}.
local token, lease, jitter = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local KILLS = 5
local WINDOW = 60500 -- ms; why not a minute: workers/clients/teamleader/rate_limit.lua

local function refused(reason, at)
  if at then schedule(at) end
  return {'refused', reason, tostring(at or 0)}
end

local wanted = get('w')
if not wanted then return refused('settled') end
if number('l') > now then return refused('leased', number('l')) end
local state = redis.call('HGET', OPTIONS, 'state') or 'active'
if state ~= 'active' then return refused('integration_' .. state) end
if number('c') >= KILLS then
  bury('kills_worker', cjson.encode({reason = 'kills_worker', attempts = number('c'), event_id = get('e') or '',
    sentence = 'Every worker that took this customer up died before it was done.'}))
  return refused('kills_worker')
end

local apis = (#ARGV - 5) / 2
for i = 0, apis - 1 do
  local paused = tonumber(redis.call('GET', KEYS[10 + i * 3]) or '0')
  if paused > now then return refused('paused', paused + math.floor(jitter * 2000)) end
  local circuit = redis.call('HMGET', KEYS[11 + i * 3], 'u', 'p')
  local open = tonumber(circuit[1] or '0')
  -- While somebody probes, how it ended is known long before the end of its lease.
  if open > now and circuit[2] then open = math.min(open, now + 500) end
  if open > now then return refused('circuit_open', open + math.floor(jitter * 2000)) end
end

for i = 0, apis - 1 do
  local limit, calls = tonumber(ARGV[7 + i * 2]), KEYS[12 + i * 3]
  if limit > 0 then
    local oldest = tonumber(redis.call('LINDEX', calls, 0) or 'inf')
    while oldest <= now - WINDOW do
      redis.call('LPOP', calls)
      oldest = tonumber(redis.call('LINDEX', calls, 0) or 'inf')
    end
    if redis.call('LLEN', calls) >= limit then return refused('no_budget', oldest + WINDOW + math.floor(jitter * 2000)) end
  end
end
for i = 0, apis - 1 do
  if tonumber(ARGV[7 + i * 2]) > 0 then
    redis.call('RPUSH', KEYS[12 + i * 3], now)
    redis.call('PEXPIRE', KEYS[12 + i * 3], WINDOW)
  end
end

-- A circuit whose time is up lets this one worker through and keeps the others away meanwhile.
local probing = 0
for i = 0, apis - 1 do
  if redis.call('HEXISTS', KEYS[11 + i * 3], 'u') == 1 then
    redis.call('HSET', KEYS[11 + i * 3], 'u', now + lease, 'p', token)
    probing = 1
  end
end

-- An unreleased lease: its worker was killed, or is slow and may still write. Look again two leases later.
if get('t') then redis.call('HSET', SUBJECT, 'v', '1') end
redis.call('HINCRBY', SUBJECT, 'c', 1)
redis.call('HSET', SUBJECT, 't', token, 'l', now + lease)
redis.call('HDEL', SUBJECT, 'yn')
schedule(now + lease)
return {'claimed', wanted, get('y') or '', get('a') or '0', get('ff') or '0', get('v') and 1 or 0,
  auto_update_on() and 1 or 0, get('h') or '', get('e') or '', probing, get('f') or '0', tostring(now), get('s') or '0',
  redis.call('HGET', OPTIONS, 'revision') or '0'}
