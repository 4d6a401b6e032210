-- ARGV: prefix, pool… Returns for each pool a flat list: version, idle, leases, waiting, agents, condemned,
-- wait_ms, wait_count, asked, ended, held_ms, oldest_ms, used, wake_at, expected, spares (numbers; a version of -1 means
-- that Redis does not know the pool; oldest_ms: how long the first in line has waited).
local answers = {}
for i = 2, #ARGV do
  local pool = ARGV[i]
  local v = call('HMGET', pool_key(pool), 'version', 'wait_ms', 'wait_count', 'asked', 'ended', 'held_ms',
    'used', 'wake_at', 'expected', 'spares')
  local since = longest_since(pool)
  answers[#answers + 1] = {tonumber(v[1] or '-1'), call('ZCARD', pool_key(pool, 'idle')),
    call('ZCARD', pool_key(pool, 'leases')), call('HLEN', pool_key(pool, 'waiters')),
    call('SCARD', pool_key(pool, 'agents')), call('SCARD', pool_key(pool, 'condemned')),
    tonumber(v[2] or '0'), tonumber(v[3] or '0'), tonumber(v[4] or '0'), tonumber(v[5] or '0'), tonumber(v[6] or '0'),
    since and math.max(0, math.floor(now - since)) or 0, tonumber(v[7] or '0'), tonumber(v[8] or '0'),
    tonumber(v[9] or '0'), tonumber(v[10] or '0')}
end
return answers
