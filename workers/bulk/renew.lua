-- renew: a long step still runs. ARGV: member, token, lease ms. Answers 1, or 0 when somebody else has the job now.
if get('token') ~= ARGV[2] then return 0 end
redis.call('HSET', JOB, 'lease', now + tonumber(ARGV[3]))
turn_at(now + tonumber(ARGV[3]))
return 1
