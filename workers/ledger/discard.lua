-- discard: an operator gives a dead letter up. ARGV: integration, subject, reason. Answers 1, or 0 when it is not dead.
if closed() then return 0 end
if redis.call('ZREM', DEAD, subject) == 0 then return 0 end
redis.call('HDEL', SUBJECT, 'd')
redis.call('HSET', SUBJECT, 'o', 'discarded', 'r', ARGV[3], 'k', now)
record('discarded', ARGV[3])
return 1
