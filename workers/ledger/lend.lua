-- lend: somebody who is no worker (an import) wants to be the only one that writes the customer, owed or not.
-- Workers are refused meanwhile like by another worker's lease, and the books do not move.
-- ARGV: integration, subject, token, lease ms, 'borrow' | 'keep' | 'return', 1 if a write follows, ms for which Twikey wants no calls,
--       1 if Twikey has this very customer from the borrower now, updated_at that it was made from
-- KEYS[10]: pause of Twikey
-- Answers 'mine', 'leased', 'lost', 'paused' or 'held' (the integration is not active).
local token, lease, what, writes, pause = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6] == '1', tonumber(ARGV[7])

if what == 'return' then
  stay_away(KEYS[10], pause)
  if get('t') ~= token then return 'lost' end
  redis.call('HDEL', SUBJECT, 't', 'l')
  if ARGV[8] == '1' and not closed() then
    brought(true)
    -- What was edited before counts as seen; what the ledger knows of later edits stays.
    if ARGV[9] ~= '' then redis.call('HSETNX', SUBJECT, 'u', ARGV[9]) end
  end
  -- What came meanwhile, or had to wait for us, is done at once.
  if get('w') then schedule(now) end
  return 'mine'
end

if what == 'keep' and get('t') ~= token then return 'lost' end
if (redis.call('HGET', OPTIONS, 'state') or 'active') ~= 'active' then return 'held' end
if tonumber(redis.call('GET', KEYS[10]) or '0') > now then return 'paused' end
if what == 'borrow' then
  if number('l') > now then return 'leased' end
  -- As at a claim: whoever held it was killed, or is slow and may still write.
  if get('t') and get('w') then redis.call('HSET', SUBJECT, 'v', '1') end
  redis.call('HSET', SUBJECT, 't', token)
end
redis.call('HSET', SUBJECT, 'l', now + lease)
-- What Twikey holds from now on is the borrower's: the next event must write, whatever was written last.
if writes then redis.call('HDEL', SUBJECT, 'h') end
return 'mine'
