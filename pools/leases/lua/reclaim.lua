-- ARGV: prefix, pool, beginning, ending. Ends the waits of holders whose name begins with the one and does not end
-- with the other, tells them that their leases are lost, and returns these (as grants), for whoever stops what runs
-- under them. Nobody renews them any more; those that have expired are revoked.
local pool, beginning, ending = ARGV[2], ARGV[3], ARGV[4]
local found = {}
for _, holder in ipairs(call('HKEYS', pool_key(pool, 'waiters'))) do
  if is_meant(holder, beginning, ending) then
    drop_waiter(pool, read_waiter(pool, holder))
    changed(pool)
  end
end
for _, holder in ipairs(call('HKEYS', pool_key(pool, 'holders'))) do
  if is_meant(holder, beginning, ending) then
    local token = call('HGET', pool_key(pool, 'holders'), holder)
    local lease = call('HMGET', lease_key(token), 'client', 'expires')
    if tonumber(lease[2] or '0') > now then
      tell(lease[1], 'lost|' .. token)
      found[#found + 1] = grant_text(token)
    else
      revoke(token, 'recycled')
    end
  end
end
return found
