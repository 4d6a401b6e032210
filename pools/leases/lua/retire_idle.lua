-- ARGV: prefix, pool, count, idle_ms, keep, reason. Takes up to `count` agents out of service that have been
-- idle for `idle_ms` or longer, the longest idle first, while more than `keep` stay. Nobody may be waiting.
-- Returns the agents.
local pool = ARGV[2]
if call('ZCARD', pool_key(pool, 'queue')) > 0 then return {} end
local serving = call('ZCARD', pool_key(pool, 'idle')) + call('ZCARD', pool_key(pool, 'leases'))
local count = math.min(tonumber(ARGV[3]), serving - tonumber(ARGV[5]))
if count <= 0 then return {} end
local found = call('ZRANGEBYSCORE', pool_key(pool, 'idle'), '-inf', int(now - tonumber(ARGV[4])), 'LIMIT', 0, count)
for _, agent in ipairs(found) do condemn(pool, agent, ARGV[6]) end
return found
