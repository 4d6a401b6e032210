-- ARGV: prefix, holder, what it used, seconds until the ledger has that, budgets … The call has ended, or is not wanted
-- any more. What it used stays reserved, less and less, while the ledger learns of it; that of a call which ended just
-- after its time-out, too.
local used, lag = tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 5, #ARGV do
  stop_waiting(ARGV[i], ARGV[2])
  if used > 0 and call('EXISTS', key(ARGV[i])) == 1 then
    call('HSET', key(ARGV[i], 'reserved'), ARGV[2], number(now + lag * 1000) .. '|' .. number(used / lag))
  else
    call('HDEL', key(ARGV[i], 'reserved'), ARGV[2])
  end
end
return 1
