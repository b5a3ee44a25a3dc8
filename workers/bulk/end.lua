-- end: it cannot or need not go on. ARGV: member, token, 'failed' | 'cancelled', reason, sentence. Answers the state, or 'lost'.
if get('token') ~= ARGV[2] then return 'lost' end
finish(ARGV[3], ARGV[4], ARGV[5])
return ARGV[3]
