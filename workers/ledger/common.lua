-- Shared by every script that works on one subject. The time is always Redis' own, never a caller's.
--
-- Fields of a subject's record (short, because there is one record per customer):
--   w  want: counts every mark while the subject is owed; present = owed
--   y  why: one letter per kind of cause that is owed        e  the last event's id
--   yn why, as far as it came after the claim
--   f  first wanted (ms)                                     hy why, while held
--   t  token of the lease    l  end of the lease (ms)        c  claims without an end
--   a  failed attempts       ff first failure (ms)           v  verify: 1 = to be planned, else when (ms)
--   o  last outcome          r  its reason                   k  when it ended (ms)
--   s  last successful sync  h  fingerprint of what Twikey has from us; absent while a write is uncertain
--   u  Teamleader's updated_at, as last seen                 d  story of the death (JSON)
local SUBJECT, DUE, DEAD, HELD, COUNTS, ACTIVITY, OPTIONS, NEXT =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local integration, subject = ARGV[1], ARGV[2]
local ACTIVITY_LENGTH = 10000
local INVOICE_KEPT = 604800 -- seconds

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function get(field) return redis.call('HGET', SUBJECT, field) end
local function number(field) return tonumber(get(field) or '0') end

local function schedule(at)
  redis.call('ZADD', DUE, at, subject)
  redis.call('ZADD', NEXT, 'LT', at, integration)
end

local function record(what, detail, event)
  redis.call('XADD', ACTIVITY, 'MAXLEN', '~', ACTIVITY_LENGTH, '*',
    's', subject, 'k', what, 'r', detail or '', 'e', event or get('e') or '')
end

local function count(name) redis.call('HINCRBY', COUNTS, name, 1) end

local function auto_update_on() return redis.call('HGET', OPTIONS, 'auto_update') == 'on' end

-- Adds the letters of `new` that `old` does not have yet.
local function merged(old, new)
  local all = old or ''
  for letter in string.gmatch(new, '.') do
    if not string.find(all, letter, 1, true) then all = all .. letter end
  end
  return all
end

-- Makes the subject owed, or folds the event into what is owed already. Returns true when it was owed.
local function want(causes, event, at)
  local owed = redis.call('HEXISTS', SUBJECT, 'w') == 1
  count('accepted')
  if owed then count('coalesced') end
  redis.call('HINCRBY', SUBJECT, 'w', 1)
  redis.call('HSET', SUBJECT, 'y', merged(get('y'), causes))
  if get('t') then redis.call('HSET', SUBJECT, 'yn', merged(get('yn'), causes)) end
  redis.call('PERSIST', SUBJECT)
  if event ~= '' then redis.call('HSET', SUBJECT, 'e', event) end
  if not owed then redis.call('HSET', SUBJECT, 'f', now) end
  if redis.call('ZREM', DEAD, subject) == 1 then redis.call('HDEL', SUBJECT, 'd', 'a', 'c', 'ff') end
  local leased = number('l') > now
  local planned = tonumber(redis.call('ZSCORE', DUE, subject) or 'inf')
  if not leased and at < planned then schedule(at) end
  return owed
end

-- The work was done for all that was owed at the claim; what remains is owed for what came since.
-- Otherwise an operator's cause would let a later automatic event through while auto-update is off.
local function once_more()
  local since = get('yn')
  if since then redis.call('HSET', SUBJECT, 'y', since) end
  schedule(now)
  return {'again'}
end

-- Remembers a subject for the day auto-update is switched on.
local function hold_for(causes)
  redis.call('ZADD', HELD, now, subject)
  redis.call('HSET', SUBJECT, 'hy', merged(get('hy'), causes))
  redis.call('PERSIST', SUBJECT)
end

local function release_lease() redis.call('HDEL', SUBJECT, 't', 'l', 'c') end

-- A probe that did not come to ask an API says nothing about it: the next one may probe at once.
local function give_probe_back(circuit, token)
  if redis.call('HGET', circuit, 'p') ~= token then return end
  redis.call('HSET', circuit, 'u', now)
  redis.call('HDEL', circuit, 'p')
end

-- A worker whose lease was taken over wrote, or may have written, an older state: write once more, whatever the
-- fingerprint says that the worker which holds the lease now may yet commit.
local function lost(causes)
  redis.call('HDEL', SUBJECT, 'h')
  if not get('v') then redis.call('HSET', SUBJECT, 'v', now) end
  want(causes, '', now)
  record('lost')
  return {'lost'}
end

local function settle(outcome, reason)
  redis.call('HDEL', SUBJECT, 'w', 'y', 'yn', 'f', 'a', 'ff', 'v')
  redis.call('HSET', SUBJECT, 'o', outcome, 'r', reason, 'k', now)
  -- Memory grows with customers, not with invoices.
  if outcome ~= 'dead' and string.sub(subject, 1, 8) == 'invoice:' then redis.call('EXPIRE', SUBJECT, INVOICE_KEPT) end
  redis.call('ZREM', DUE, subject)
  count(outcome)
  if reason ~= '' then count(outcome .. ':' .. reason) end
  record(outcome, reason)
end

local function bury(reason, story)
  release_lease()
  settle('dead', reason)
  redis.call('ZADD', DEAD, now, subject)
  redis.call('HSET', SUBJECT, 'd', story)
end
