-- ARGV: prefix, pool, beginning, ending. Revokes the leases of holders whose name begins with the one and does not end
-- with the other. Returns how many.
local pool = ARGV[2]
local taken = 0
for _, holder in ipairs(call('HKEYS', pool_key(pool, 'holders'))) do
  if is_meant(holder, ARGV[3], ARGV[4]) then
    revoke(call('HGET', pool_key(pool, 'holders'), holder), 'recycled')
    taken = taken + 1
  end
end
return taken
