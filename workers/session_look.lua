-- session_look: who is this? Renews the idle time, unless ARGV[2] is 0 (a page that asks again by itself, with nobody there).
-- KEYS: session, operators. ARGV: idle ms, 1 or 0. Answers nothing, or {operator, its record, epoch, browser, began, seen}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local session = redis.call('HMGET', KEYS[1], 'o', 'p', 'u', 'b', 's', 'e')
local name = session[1]
if not name then return false end
local record = redis.call('HGET', KEYS[2], name)
if not record then return false end
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 's', now)
  redis.call('PEXPIRE', KEYS[1], math.min(ARGV[1], session[6] - now)) -- never beyond its end: then the store forgets it
end
return {name, record, session[2], session[3], session[4], session[5]}
