-- ask: an operator pauses, resumes or cancels. A step under way is finished first.
-- ARGV: member, 'pause' | 'resume' | 'cancel'
-- Answers {1 when that changed something, its record}; the record is empty when there never was such a job.
local what = ARGV[2]
local state, leased = get('state'), number('lease') > now

local function pause()
  if not under_way() then return 0 end
  if leased then redis.call('HSET', JOB, 'asked', 'pause') else rest('paused') end
  return 1
end

local function resume()
  if under_way() then return get('asked') == 'pause' and redis.call('HDEL', JOB, 'asked') or 0 end
  -- What failed goes on where it stopped; a new start would begin anew.
  if state ~= 'paused' and state ~= 'failed' then return 0 end
  redis.call('HDEL', JOB, 'ended', 'failures', 'reason', 'sentence')
  redis.call('HSET', JOB, 'state', 'waiting', 'changed', now)
  turn_at(now)
  return 1
end

local function cancel()
  if state == 'failed' then
    -- It is over already; now nobody needs to look at it any more. Why it failed stays to be read.
    finish('cancelled', 'given_up', 'Given up by an operator after it failed (' .. get('reason') .. '): ' .. get('sentence'))
    return 1
  end
  if not under_way() and state ~= 'paused' then return 0 end
  if leased then
    redis.call('HSET', JOB, 'asked', 'cancel')
  else
    finish('cancelled', '', 'Cancelled by an operator.')
  end
  return 1
end

local acts = {pause = pause, resume = resume, cancel = cancel}
local changed = acts[what]()
return {changed, record()}
