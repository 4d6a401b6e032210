-- ARGV: prefix, pool, beginning, ending. Revokes the leases, and ends the waits, of holders whose name begins with
-- the one and does not end with the other. Returns how many leases.
local pool, beginning, ending = ARGV[2], ARGV[3], ARGV[4]
local function is_meant(holder)
  return holder:sub(1, #beginning) == beginning and holder:sub(-#ending) ~= ending
end
local taken = 0
for _, holder in ipairs(call('HKEYS', pool_key(pool, 'holders'))) do
  if is_meant(holder) then
    revoke(call('HGET', pool_key(pool, 'holders'), holder), 'recycled')
    taken = taken + 1
  end
end
for _, holder in ipairs(call('HKEYS', pool_key(pool, 'waiters'))) do
  if is_meant(holder) then
    drop_waiter(pool, read_waiter(pool, holder))
    changed(pool)
  end
end
return taken
