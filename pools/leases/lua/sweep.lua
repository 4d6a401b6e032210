-- ARGV: prefix, pool… Takes back expired leases and drops waiters whose time is up. Returns how many leases.
local taken = 0
for i = 2, #ARGV do
  local pool = ARGV[i]
  for _, token in ipairs(call('ZRANGEBYSCORE', pool_key(pool, 'leases'), '-inf', int(now))) do
    if call('EXISTS', lease_key(token)) == 1 then
      revoke(token, 'recycled')
      taken = taken + 1
    else
      call('ZREM', pool_key(pool, 'leases'), token)
    end
  end
  for _, holder in ipairs(call('HKEYS', pool_key(pool, 'waiters'))) do
    local w = read_waiter(pool, holder)
    if w.deadline <= now or w.seen <= now - SILENCE then
      drop_waiter(pool, w)
      changed(pool)
    end
  end
  dispatch(pool)
end
return taken
