-- ARGV: prefix, pool… Returns for each pool a flat list: version, idle, leases, waiting, agents, condemned,
-- wait_ms, wait_count (numbers; -1 versions mean that Redis does not know the pool).
local answers = {}
for i = 2, #ARGV do
  local pool = ARGV[i]
  local v = call('HMGET', pool_key(pool), 'version', 'wait_ms', 'wait_count')
  answers[#answers + 1] = {tonumber(v[1] or '-1'), call('ZCARD', pool_key(pool, 'idle')),
    call('ZCARD', pool_key(pool, 'leases')), call('HLEN', pool_key(pool, 'waiters')),
    call('SCARD', pool_key(pool, 'agents')), call('SCARD', pool_key(pool, 'condemned')),
    tonumber(v[2] or '0'), tonumber(v[3] or '0')}
end
return answers
