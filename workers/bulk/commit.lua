-- commit: a step is done. All that it changed in the job changes here, at once.
-- ARGV: member, token, cursor, done, total, progress, result, 1 when that was all, ms until the next step,
--       lease ms to go on with (0: give the job back), lines of the report kept at most,
--       a message for the channels of alerts or '', messages kept at most, lines …
-- Answers 'mine', 'released', 'paused', 'cancelled', 'done' or 'lost'.
local token, finished, again, lease, most = ARGV[2], ARGV[8] == '1', tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local LINES = 14

if get('token') ~= token then return 'lost' end
redis.call('HSET', JOB, 'cursor', ARGV[3], 'done', ARGV[4], 'total', ARGV[5], 'progress', ARGV[6], 'result', ARGV[7],
  'changed', now, 'reason', '', 'sentence', '', 'claims', 0, 'failures', 0)
local room = most - redis.call('LLEN', REPORT)
for i = LINES, #ARGV do
  if i - LINES < room then redis.call('RPUSH', REPORT, ARGV[i]) else redis.call('HINCRBY', JOB, 'more', 1) end
end

if ARGV[12] ~= '' then redis.call('XADD', MESSAGES, 'MAXLEN', '~', ARGV[13], '*', 'm', ARGV[12]) end

if finished then
  finish('done', '', '')
  return 'done'
end
if obey() then return get('state') end
if again > 0 or lease == 0 then
  release()
  turn_at(now + again)
  return 'released'
end
redis.call('HSET', JOB, 'lease', now + lease)
turn_at(now + lease)
return 'mine'
