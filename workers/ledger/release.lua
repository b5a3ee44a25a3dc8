-- release: a subject held while auto-update was off becomes owed, for the reasons it was held.
-- ARGV: integration, subject. Answers 1, or 0 when it is not held or the option is off again.
if closed() or not auto_update_on() then return 0 end
if redis.call('ZREM', HELD, subject) == 0 then return 0 end
local why = get('hy') or 'w'
redis.call('HDEL', SUBJECT, 'hy')
want(why, '', now)
record('released', why)
return 1
