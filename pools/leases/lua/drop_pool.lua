-- ARGV: prefix, pool. Forgets a pool that has no agents left. Returns 1 when it did.
local pool = ARGV[2]
if call('SCARD', pool_key(pool, 'agents')) > 0 then return 0 end
forget_queue(pool)
for _, part in ipairs({'agents', 'idle', 'open', 'condemned', 'leases', 'holders', 'waits', 'shares',
                       'health_failures', 'health_checks'}) do
  call('DEL', pool_key(pool, part))
end
call('DEL', pool_key(pool))
call('SREM', P .. ':pools', pool)
return 1
