-- ARGV: prefix, budget, limit, spent, rate, committed, enforce, ms until a new one opens.
-- Returns {reserved, free, how many wait, how long the first of them has (ms), what its call may cost}
local id = ARGV[2]
if call('EXISTS', key(id)) == 0 then call('HSET', key(id), 'opens', number(now + tonumber(ARGV[8]))) end
call('HSET', key(id), 'limit', ARGV[3], 'spent', ARGV[4], 'rate', ARGV[5], 'committed', ARGV[6], 'enforce', ARGV[7], 'at', number(now))
local sum, first, waited, cost = reserved(id), first_waiting(id), 0, 0
if first then
  local since, amount = string.match(call('HGET', key(id, 'seen'), first), '|(.-)|(.*)$')
  waited, cost = now - tonumber(since), tonumber(amount)
end
local free = tonumber(ARGV[3]) - tonumber(ARGV[4]) - sum - tonumber(ARGV[6])
return {number(sum), number(free), call('ZCARD', key(id, 'waiting')), number(waited), number(cost)}
