-- ARGV: prefix, agent. The agent is gone (or about to be): its leases are lost, and their holders told.
-- Returns how many leases were lost with it.
local agent = ARGV[2]
local pool = call('HGET', agent_key(agent), 'pool')
if not pool then return 0 end
local lost = call('SMEMBERS', agent_key(agent, 'leases'))
table.sort(lost)
for _, token in ipairs(lost) do revoke(token, 'node_lost') end
call('DEL', agent_key(agent), agent_key(agent, 'leases'), agent_key(agent, 'resuming'))
call('SREM', pool_key(pool, 'agents'), agent)
for _, part in ipairs({'idle', 'open'}) do call('ZREM', pool_key(pool, part), agent) end
call('SREM', pool_key(pool, 'condemned'), agent)
changed(pool)
nudge(pool)
return #lost
