-- wait: the step could not be done now; nothing of it counts. Again later, from the same cursor.
-- ARGV: member, token, reason, sentence, delay ms, 1 if it counts as a failed try
-- Without a reason it is only the pace: the job counts as running.
-- Answers 'released', 'paused', 'cancelled' or 'lost'.
local token, reason, sentence, delay = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

if get('token') ~= token then return 'lost' end
release()
if ARGV[6] == '1' then redis.call('HINCRBY', JOB, 'failures', 1) end
if obey() then return get('state') end
redis.call('HSET', JOB, 'state', reason == '' and 'running' or 'waiting', 'reason', reason, 'sentence', sentence)
turn_at(now + delay)
return 'released'
