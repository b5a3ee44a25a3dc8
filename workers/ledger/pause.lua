-- pause: an API asked us to stay away from it, for the whole integration. The latest time counts.
-- KEYS[1]: pause of the API. ARGV: for how long (ms)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local pause = tonumber(ARGV[1])

if now + pause > tonumber(redis.call('GET', KEYS[1]) or '0') then redis.call('SET', KEYS[1], now + pause, 'PX', pause) end
