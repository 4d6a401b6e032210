-- ARGV: prefix, pool, used, expected. The controller is nudged when the pool's `used` comes to this; 0: never. `expected`
-- is kept for the controller that comes next.
if call('EXISTS', pool_key(ARGV[2])) == 1 then
  call('HSET', pool_key(ARGV[2]), 'wake_at', ARGV[3], 'expected', ARGV[4])
end
return 1
