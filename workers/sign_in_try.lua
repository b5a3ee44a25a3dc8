-- sign_in_try: may one more try be made? Counts it in every bucket, or in none when one of them is full.
-- A refused try is not counted: whoever waits gets in, however often somebody knocks meanwhile.
-- KEYS: buckets. ARGV: window ms, id of the try, then how many each bucket takes. Answers 0, or the ms until there is room.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[1])
local wait = 0
for i, bucket in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', bucket, '-inf', now - window)
  if redis.call('ZCARD', bucket) >= tonumber(ARGV[2 + i]) then
    local oldest = redis.call('ZRANGE', bucket, 0, 0, 'WITHSCORES')[2]
    wait = math.max(wait, oldest + window - now)
  end
end
if wait > 0 then return math.ceil(wait) end
for _, bucket in ipairs(KEYS) do
  redis.call('ZADD', bucket, now, ARGV[2])
  redis.call('PEXPIRE', bucket, window)
end
return 0
