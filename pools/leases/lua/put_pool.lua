-- ARGV: prefix, pool, team, max_uses, ttl_ms, closed ('1' | '0'). Returns 1 when the pool was new.
local key = pool_key(ARGV[2])
local new = 1 - call('EXISTS', key)
call('HSET', key, 'team', ARGV[3], 'max_uses', ARGV[4], 'ttl_ms', ARGV[5])
if ARGV[6] == '1' then call('HSET', key, 'closed', '1') else call('HDEL', key, 'closed') end
call('SADD', P .. ':pools', ARGV[2])
changed(ARGV[2])
return new
