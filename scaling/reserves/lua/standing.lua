-- ARGV: prefix, budget. Returns {reserved, how many calls wait, how long the first of them has (ms), what its call may cost}
local id = ARGV[2]
local sum, first, waited, cost, calls = reserved(id), first_waiting(id), 0, 0, 0
if first then
  local since, amount = string.match(call('HGET', key(id, 'seen'), first), '|(.-)|(.-)|')
  waited, cost = now - tonumber(since), tonumber(amount)
end
for _, seen in ipairs(call('HVALS', key(id, 'seen'))) do calls = calls + tonumber(string.match(seen, '[^|]*$')) end
return {number(sum), calls, number(waited), number(cost)}
