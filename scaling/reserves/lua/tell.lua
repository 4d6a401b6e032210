-- ARGV: prefix, holder, seconds left, rate a second, budgets … What was reserved before is told again: Redis may have
-- lost its memory.
for i = 5, #ARGV do
  if call('EXISTS', key(ARGV[i])) == 1 then
    call('HSETNX', key(ARGV[i], 'reserved'), ARGV[2], number(now + tonumber(ARGV[3]) * 1000) .. '|' .. ARGV[4])
  end
end
return 1
