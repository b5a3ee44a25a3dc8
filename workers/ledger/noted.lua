-- noted: somebody did something about the subject, and the audit log has it; its story will name the entry.
-- ARGV: integration, subject, id of the entry: ms, sequence. Answers 1, or 0 when nothing is known of the subject.
if closed() or redis.call('EXISTS', SUBJECT) == 0 then return 0 end
remember_noted(tonumber(ARGV[3]), tonumber(ARGV[4]))
return 1
