-- ARGV: prefix, budget, then pool, agents that it may have, pool, …
local told = {}
for i = 3, #ARGV, 2 do
  told['most:' .. ARGV[i]] = true
  call('HSET', key(ARGV[2]), 'most:' .. ARGV[i], ARGV[i + 1])
end
for _, field in ipairs(call('HKEYS', key(ARGV[2]))) do
  if string.sub(field, 1, 5) == 'most:' and not told[field] then call('HDEL', key(ARGV[2]), field) end
end
return 1
