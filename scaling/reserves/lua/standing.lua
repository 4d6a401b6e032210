-- ARGV: prefix, budget. Returns {reserved, how many wait, how long the first of them has (ms), what its call may cost}
local id = ARGV[2]
local sum, first, waited, cost = reserved(id), first_waiting(id), 0, 0
if first then
  local since, amount = string.match(call('HGET', key(id, 'seen'), first), '|(.-)|(.*)$')
  waited, cost = now - tonumber(since), tonumber(amount)
end
return {number(sum), call('ZCARD', key(id, 'waiting')), number(waited), number(cost)}
