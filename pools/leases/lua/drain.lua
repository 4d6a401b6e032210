-- ARGV: prefix, agent, reason. No new leases; a running one finishes. Returns 'condemned' | 'draining' | 'unknown'
local agent = ARGV[2]
local v = call('HMGET', agent_key(agent), 'pool', 'state')
if not v[1] then return 'unknown' end
if v[2] == 'leased' then
  close_agent(v[1], agent, ARGV[3])
  return 'draining'
end
if v[2] ~= 'condemned' then condemn(v[1], agent, ARGV[3]) end
return 'condemned'
