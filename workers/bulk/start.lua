-- start: makes a new run, unless one is under way or paused, or the last one began only just now.
-- ARGV: member, run, parameters (JSON), by, ms within which a run that began counts as this one
-- Answers {1 when it is a new run, its record}; no record when the integration was removed.
local run, parameters, by, within = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

if redis.call('HGET', OPTIONS, 'state') == 'closed' then return {0, {}} end
if under_way() or get('state') == 'paused' then return {0, record()} end
if within > 0 and now - number('started') < within then return {0, record()} end
redis.call('DEL', JOB, REPORT)
redis.call('HSET', JOB, 'run', run, 'parameters', parameters, 'by', by, 'state', 'waiting',
  'started', now, 'changed', now, 'done', 0)
turn_at(now)
return {1, record()}
