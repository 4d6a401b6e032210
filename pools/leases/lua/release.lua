-- ARGV: prefix, token, outcome (ok | error | poison), uses, reason. Returns 'released' | 'lost'
local token = ARGV[2]
local v = call('HMGET', lease_key(token), 'pool', 'agent', 'holder', 'expires', 'uses_left')
if not v[1] then return 'lost' end
if tonumber(v[4]) <= now then
  revoke(token, 'recycled')
  return 'lost'
end
end_lease(v[1], token, v[3])
local uses = math.min(tonumber(ARGV[4]), tonumber(v[5]))
if ARGV[3] == 'poison' then
  call('HINCRBY', agent_key(v[2]), 'uses', uses)
  call('HSET', agent_key(v[2]), 'last_used', int(now), 'lease', '')
  condemn(v[1], v[2], ARGV[5])
else
  give_back(v[1], v[2], uses)
end
return 'released'
