-- ARGV: prefix, token. The body of a parked lease wants to go on. Asking again keeps its turn.
-- Returns 'resumed' | 'waiting' (its client is told) | 'lost'
local token = ARGV[2]
local v = call('HMGET', lease_key(token), 'pool', 'agent', 'expires', 'parked')
if not v[1] then return 'lost' end
if tonumber(v[3]) <= now then
  revoke(token, 'recycled')
  return 'lost'
end
if v[4] ~= '1' then return 'resumed' end
local waiting = agent_key(v[2], 'resuming')
if not call('LPOS', waiting, token) then call('RPUSH', waiting, token) end
settle(v[1], v[2])
dispatch(v[1]) -- an agent without parked bodies may serve other teams again
return call('HGET', lease_key(token), 'parked') == '1' and 'waiting' or 'resumed'
