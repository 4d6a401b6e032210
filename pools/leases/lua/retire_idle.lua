-- ARGV: prefix, pool, count, idle_ms, keep, reason, order. Takes up to `count` agents out of service that have been
-- idle for `idle_ms` or longer, while more than `keep` stay: the longest idle first (lru), the oldest (fifo) or the
-- newest (lifo). Nobody may be waiting. Returns the agents.
local pool, order = ARGV[2], ARGV[7]
if call('ZCARD', pool_key(pool, 'turns')) > 0 then return {} end
local serving = call('SCARD', pool_key(pool, 'agents')) - call('SCARD', pool_key(pool, 'condemned'))
local count = math.min(tonumber(ARGV[3]), serving - tonumber(ARGV[5]))
if count <= 0 then return {} end
local found = call('ZRANGEBYSCORE', pool_key(pool, 'idle'), '-inf', int(now - tonumber(ARGV[4])))
if order ~= 'lru' then
  local born = {}
  for _, agent in ipairs(found) do born[agent] = tonumber(call('HGET', agent_key(agent), 'born') or '0') end
  table.sort(found, function(a, b)
    if born[a] == born[b] then return a < b end
    if order == 'fifo' then return born[a] < born[b] end
    return born[a] > born[b]
  end)
end
local taken = {}
for i = 1, math.min(count, #found) do
  condemn(pool, found[i], ARGV[6])
  taken[i] = found[i]
end
return taken
