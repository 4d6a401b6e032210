-- ARGV: prefix, holder, budgets … The call has ended, or is not wanted any more.
for i = 3, #ARGV do
  call('HDEL', key(ARGV[i], 'reserved'), ARGV[2])
  stop_waiting(ARGV[i], ARGV[2])
end
return 1
