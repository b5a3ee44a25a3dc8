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
--   s  last successful sync; absent when gone
--   h  fingerprint of what Twikey has from us; absent while a write is uncertain
--   u  Teamleader's updated_at up to which nothing is new    d  story of the death (JSON)
--   p, q  its past: the latest turns of its story (`remember`)
local SUBJECT, DUE, WEBHOOKS, DEAD, HELD, COUNTS, ACTIVITY, OPTIONS, NEXT =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local integration, subject = ARGV[1], ARGV[2]
local ACTIVITY_LENGTH = 10000
local INVOICE_KEPT = 604800 -- seconds

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function get(field) return redis.call('HGET', SUBJECT, field) end
local function number(field) return tonumber(get(field) or '0') end

-- How long ago that was (ms). No less than nothing, also when the store's clock was set back since.
local function ms_since(at) return math.max(0, now - at) end

local function schedule(at)
  redis.call('ZADD', DUE, at, subject)
  redis.call('ZADD', NEXT, 'LT', at, integration)
end

-- `waited`, `worked`: ms since the first event and since the claim, where there were any.
local function record(what, detail, event, waited, worked)
  redis.call('XADD', ACTIVITY, 'MAXLEN', '~', ACTIVITY_LENGTH, '*',
    's', subject, 'k', what, 'r', detail or '', 'e', event or get('e') or '', 'w', waited or '', 't', worked or '')
end

-- The past of a subject: its latest turns, newest first, so that its story needs no search through the activity stream
-- (docs/decisions/0015). A turn is what.causes.when.waited.worked.times.reason; numbers in base 36, what is missing
-- at the end left out. All of it takes two fields of less than 64 bytes: a longer one would double the record's memory.
local PAST_AT_MOST, FIELD_AT_MOST = 112, 63
local LETTERS = {synced = 's', unchanged = 'u', skipped = 'k', gone = 'g', dead = 'd',
  retry = 'r', defer = 'w', again = 'a', verify = 'v', lost = 'l', noted = 'n'}
-- What happens again and again and brings nothing new is one turn that counts.
local COUNTED = {unchanged = true, skipped = true, retry = true, defer = true}

-- It ends whatever the number is: what is negative or infinite would be divided for ever, and the store with it.
local function base36(number)
  local digits, text = '0123456789abcdefghijklmnopqrstuvwxyz', ''
  if not (number >= 1 and number < math.huge) then return '0' end
  while number >= 1 do
    local digit = number % 36
    text = string.sub(digits, digit + 1, digit + 1) .. text
    number = math.floor(number / 36)
  end
  return text
end

local function number_of(text) return text ~= '' and tonumber(text, 36) or 0 end

local function keep_past(turn, past)
  past = past == '' and turn or turn .. ';' .. past
  while #past > PAST_AT_MOST do past = string.match(past, '^(.*);') or '' end
  redis.call('HSET', SUBJECT, 'p', string.sub(past, 1, FIELD_AT_MOST))
  if #past > FIELD_AT_MOST then redis.call('HSET', SUBJECT, 'q', string.sub(past, FIELD_AT_MOST + 1))
  else redis.call('HDEL', SUBJECT, 'q') end
end

local function past_of() return (get('p') or '') .. (get('q') or '') end

local function remember(what, reason, causes, waited, worked)
  local past, times = past_of(), 1
  reason = string.gsub(string.sub(reason or '', 1, 32), '[.;]', '_')
  if COUNTED[what] then
    local newest, rest = string.match(past, '^([^;]*);?(.*)$')
    local part = {}
    for one in string.gmatch(newest .. '.', '([^.]*)%.') do part[#part + 1] = one end
    if part[1] == LETTERS[what] and (part[7] or '') == reason then times, past = math.max(1, number_of(part[6] or '')) + 1, rest end
  end
  local turn = table.concat({LETTERS[what], causes or '', base36(now), waited and base36(waited) or '',
    worked and base36(worked) or '', times > 1 and base36(times) or '', reason}, '.')
  keep_past(string.match(turn, '^(.-)%.*$'), past)
end

-- What somebody did about the subject, by the id of its entry in the audit log.
local function remember_noted(ms, sequence)
  local turn = table.concat({LETTERS.noted, '', base36(ms), base36(sequence)}, '.')
  keep_past(turn, past_of())
end

local function is_customer() return string.sub(subject, 1, 8) ~= 'invoice:' end

-- Figures of the hour that is under way, so that a day can be drawn. They go by themselves; the books do not rest on them.
local HOUR = COUNTS .. ':' .. math.floor(now / 3600000)
local HOUR_KEPT = 93600 -- seconds
local PER_HOUR = {accepted = true, synced = true, unchanged = true, skipped = true, gone = true, dead = true}
local ARRIVED_WITHIN = {250, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 900000, 3600000, 14400000} -- ms

local function figure(name)
  if redis.call('HINCRBY', HOUR, name, 1) == 1 then redis.call('EXPIRE', HOUR, HOUR_KEPT) end
end

local function count(name)
  redis.call('HINCRBY', COUNTS, name, 1)
  if PER_HOUR[name] then figure(name) end
end

-- How long a customer took from its first event to Twikey, as the smallest of some bounds that it kept.
local function figure_arrival(waited)
  for _, bound in ipairs(ARRIVED_WITHIN) do
    if waited <= bound then return figure('in' .. bound) end
  end
  figure('later')
end

-- The integration was removed: nothing may come back into its ledger.
local function closed() return redis.call('HGET', OPTIONS, 'state') == 'closed' end

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
  -- One that is lent was not due at all; when the loan is not given back, it is due at its end.
  if leased and planned == math.huge then schedule(number('l')) end
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

-- Twikey has the customer from us, as of now. `anew`: something was written.
-- How many customers there are is counted, so that nobody has to look at all of them: `s` is there as long as one counts.
local function brought(anew)
  if is_customer() and not get('s') then redis.call('HINCRBY', COUNTS, 'customers', 1) end
  if is_customer() and anew then redis.call('HSET', COUNTS, 'changed', now) end
  redis.call('HSET', SUBJECT, 's', now)
end

-- An API wants no calls for so many ms. Several may be refused at once, each naming a time of its own: the latest counts.
local function stay_away(pause, ms)
  if ms > 0 and now + ms > tonumber(redis.call('GET', pause) or '0') then redis.call('SET', pause, now + ms, 'PX', ms) end
end

local function release_lease()
  redis.call('HDEL', SUBJECT, 't', 'l', 'c')
end

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
  remember('lost', '', causes)
  return {'lost'}
end

-- `claimed`: when the work began (ms), if any did.
local function settle(outcome, reason, claimed)
  local causes, waited, worked = get('y'), ms_since(number('f')), claimed and ms_since(claimed)
  -- What only a sweep wants waits its turn, however long: it says nothing about how fast edits arrive.
  if outcome == 'synced' and is_customer() and causes ~= 's' then figure_arrival(waited) end
  -- A write that may have come late, and that this outcome did not put right: what Twikey holds is a guess.
  if outcome ~= 'synced' and get('v') then redis.call('HDEL', SUBJECT, 'h') end
  redis.call('HDEL', SUBJECT, 'w', 'y', 'yn', 'f', 'a', 'ff', 'v')
  redis.call('HSET', SUBJECT, 'o', outcome, 'r', reason, 'k', now)
  if outcome == 'gone' and redis.call('HDEL', SUBJECT, 's') == 1 and is_customer() then
    redis.call('HINCRBY', COUNTS, 'customers', -1)
  end
  -- Memory grows with customers, not with invoices.
  if outcome ~= 'dead' and not is_customer() then redis.call('EXPIRE', SUBJECT, INVOICE_KEPT) end
  redis.call('ZREM', DUE, subject)
  count(outcome)
  if reason ~= '' then count(outcome .. ':' .. reason) end
  record(outcome, reason, nil, waited, worked)
  remember(outcome, reason, causes, waited, worked)
end

local function bury(reason, story, claimed)
  release_lease()
  settle('dead', reason, claimed)
  redis.call('ZADD', DEAD, now, subject)
  redis.call('HSET', SUBJECT, 'd', story)
end
