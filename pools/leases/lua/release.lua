-- ARGV: prefix, token, outcome (ok | error | poison), uses, reason. Returns 'released' | 'lost'
local token, outcome = ARGV[2], ARGV[3]
local expires = call('HGET', lease_key(token), 'expires')
if not expires then return 'lost' end
if tonumber(expires) <= now then
  revoke(token, 'recycled')
  return 'lost'
end
local ended = end_lease(token)
local agent = agent_key(ended.agent)
local sent = math.min(tonumber(ARGV[4]), ended.uses_left)
local rules = call('HMGET', pool_key(ended.pool), 'max_uses', 'wake_at')
if sent > 0 then
  local used, mark = call('HINCRBY', pool_key(ended.pool), 'used', sent), tonumber(rules[2] or '0')
  if used - sent < mark and used >= mark then wear_nudge() end
end
if call('EXISTS', agent) == 1 then
  local before = tonumber(call('HGET', agent, 'uses'))
  -- More only where others used what a parked lease had been promised.
  local most = math.max(tonumber(rules[1] or '0'), before)
  call('HSET', agent, 'uses', int(math.min(before + sent, most)))
  call('HSET', agent, 'last_used', int(now))
  local drain = nil
  if outcome == 'poison' then
    drain = ARGV[5]
  elseif outcome == 'error' then
    -- Work may fail for its own reasons; an agent on which it fails again and again is not trusted any more.
    local most = tonumber(call('HGET', pool_key(ended.pool), 'errors') or '0')
    if call('HINCRBY', agent, 'errors', 1) >= most and most > 0 then drain = 'errors' end
  elseif tonumber(ARGV[4]) > 0 then
    call('HSET', agent, 'errors', 0)
  end
  settle(ended.pool, ended.agent, drain)
  dispatch(ended.pool)
end
return 'released'
