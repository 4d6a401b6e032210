-- ARGV: prefix, pool, used, expected, spares. The controller is nudged when the pool's `used` comes to this; 0: never.
-- `expected` is kept for the controller that comes next, `spares` for the scaler.
local pool = ARGV[2]
if call('EXISTS', pool_key(pool)) == 0 then return 0 end
local mark = tonumber(ARGV[3])
call('HSET', pool_key(pool), 'wake_at', ARGV[3], 'expected', ARGV[4], 'spares', ARGV[5])
if mark > 0 and tonumber(call('HGET', pool_key(pool), 'used') or '0') >= mark then wear_nudge() end
return 1
