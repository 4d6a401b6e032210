-- ARGV: prefix, agent. The agent is gone (or about to be): its lease is lost, and its holder told.
-- Returns 1 when a lease was lost with it.
local agent = ARGV[2]
local v = call('HMGET', agent_key(agent), 'pool', 'lease')
if not v[1] then return 0 end
local pool, lost = v[1], 0
if v[2] and v[2] ~= '' and call('EXISTS', lease_key(v[2])) == 1 then
  revoke(v[2], 'node_lost')
  lost = 1
end
call('DEL', agent_key(agent))
call('SREM', pool_key(pool, 'agents'), agent)
call('SREM', pool_key(pool, 'condemned'), agent)
call('ZREM', pool_key(pool, 'idle'), agent)
changed(pool)
nudge(pool)
return lost
