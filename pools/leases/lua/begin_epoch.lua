-- ARGV: prefix, epoch, fence. A new life: what was known of leases and waiters is void.
-- Returns the fence to count on from.
for _, pool in ipairs(call('SMEMBERS', P .. ':pools')) do
  for _, token in ipairs(call('ZRANGE', pool_key(pool, 'leases'), 0, -1)) do call('DEL', lease_key(token)) end
  for _, agent in ipairs(call('SMEMBERS', pool_key(pool, 'agents'))) do
    call('DEL', agent_key(agent), agent_key(agent, 'leases'))
  end
  forget_queue(pool)
  for _, part in ipairs({'agents', 'idle', 'open', 'condemned', 'leases', 'holders'}) do
    call('DEL', pool_key(pool, part))
  end
end
local fence = math.max(tonumber(call('GET', P .. ':fence') or '0'), tonumber(ARGV[3]))
call('SET', P .. ':fence', int(fence))
call('SET', P .. ':epoch', ARGV[2])
return int(fence)
