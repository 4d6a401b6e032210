-- ARGV: prefix, budget, limit, spent, rate, committed, enforce, ms until a new one opens, then pool, agents that it
-- may have, pool, …
local id, told = ARGV[2], {}
if call('EXISTS', key(id)) == 0 then call('HSET', key(id), 'opens', number(now + tonumber(ARGV[8]))) end
call('HSET', key(id), 'limit', ARGV[3], 'spent', ARGV[4], 'rate', ARGV[5], 'committed', ARGV[6], 'enforce', ARGV[7],
  'at', number(now))
for i = 9, #ARGV, 2 do
  told['most:' .. ARGV[i]] = true
  call('HSET', key(id), 'most:' .. ARGV[i], ARGV[i + 1])
end
for _, field in ipairs(call('HKEYS', key(id))) do
  if string.sub(field, 1, 5) == 'most:' and not told[field] then call('HDEL', key(id), field) end
end
return 1
