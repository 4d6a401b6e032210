-- ARGV: prefix, pool. Forgets a pool that has no agents left. Returns 1 when it did.
local pool = ARGV[2]
if call('SCARD', pool_key(pool, 'agents')) > 0 then return 0 end
for _, part in ipairs({'agents', 'idle', 'condemned', 'leases', 'holders', 'waits', 'queue', 'waiters',
                       'health_failures', 'startup'}) do
  call('DEL', pool_key(pool, part))
end
call('DEL', pool_key(pool))
call('SREM', P .. ':pools', pool)
return 1
