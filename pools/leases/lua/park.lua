-- ARGV: prefix, token. The body of this lease waits: its place is free until it resumes. Returns 'parked' | 'lost'
local token = ARGV[2]
local v = call('HMGET', lease_key(token), 'pool', 'agent', 'expires', 'parked')
if not v[1] then return 'lost' end
if tonumber(v[3]) <= now then
  revoke(token, 'recycled')
  return 'lost'
end
if v[4] == '1' then
  call('LREM', agent_key(v[2], 'resuming'), 0, token) -- it waits again
  return 'parked'
end
call('HSET', lease_key(token), 'parked', '1')
call('HINCRBY', agent_key(v[2]), 'busy', -1)
call('HINCRBY', agent_key(v[2]), 'parked', 1)
-- The requests it may still send are not kept for it: they may be all that the agent has.
call('HINCRBY', agent_key(v[2]), 'reserved', -tonumber(call('HGET', lease_key(token), 'uses_left')))
settle(v[1], v[2])
dispatch(v[1])
return 'parked'
