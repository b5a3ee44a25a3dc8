-- fail: it cannot go on; a person is needed. ARGV: member, token, reason, sentence. Answers 'failed' or 'lost'.
if get('token') ~= ARGV[2] then return 'lost' end
finish('failed', ARGV[3], ARGV[4])
return 'failed'
