-- Shared by every script that works on one job. The time is always Redis' own, never a caller's.
--
-- Fields of a job's record:
--   run, by, parameters (JSON)      which run this is, who asked for it, and with what
--   state                           waiting, running, paused, cancelled, done, failed
--   reason, sentence                why it waits, or how it ended
--   cursor, result (JSON)           where the kind goes on, and what it has found; its own business
--   done, total, progress           how far it is; total is empty while nobody knows it
--   more                            lines of the report that were left out because there are too many
--   started, changed, ended (ms)
--   asked                           pause or cancel, until the step under way is over
--   token, lease (ms)               who works on it, and until when
--   claims                          turns that were begun and did not end: their process was killed
--   failures                        failed tries in a row
--   next (ms)                       when it may go on, while it waits
local JOB, HISTORY, REPORT, TURNS, OPTIONS, MESSAGES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local member = ARGV[1]
local RUNS_KEPT = 20

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function get(field) return redis.call('HGET', JOB, field) end
local function number(field) return tonumber(get(field) or '0') end
local function record() return redis.call('HGETALL', JOB) end

local function under_way()
  local state = get('state')
  return state == 'waiting' or state == 'running'
end

local function turn_at(at)
  redis.call('HSET', JOB, 'next', at)
  redis.call('ZADD', TURNS, at, member)
end

local function release()
  redis.call('HDEL', JOB, 'token', 'lease', 'claims')
end

local function rest(state)
  release()
  redis.call('HDEL', JOB, 'asked', 'next')
  redis.call('HSET', JOB, 'state', state, 'changed', now)
  redis.call('ZREM', TURNS, member)
end

-- The end of a run. Its story, without the cursor, is kept in the history.
local function finish(state, reason, sentence)
  rest(state)
  redis.call('HDEL', JOB, 'failures')
  redis.call('HSET', JOB, 'ended', now, 'reason', reason, 'sentence', sentence)
  local fields, story = record(), {}
  for i = 1, #fields, 2 do
    if fields[i] ~= 'cursor' then story[fields[i]] = fields[i + 1] end
  end
  redis.call('LPUSH', HISTORY, cjson.encode(story))
  redis.call('LTRIM', HISTORY, 0, RUNS_KEPT - 1)
end

-- What an operator asked for while a step was under way. Answers true when the job does not go on.
local function obey()
  local asked = get('asked')
  if asked == 'cancel' then finish('cancelled', '', 'Cancelled by an operator.') end
  if asked == 'pause' then rest('paused') end
  return asked == 'cancel' or asked == 'pause'
end
