-- ARGV: prefix, pool, agent, address, boot, nonce, uses, last_used, slots, age_ms. An agent that is ready begins to
-- serve, with `slots` leases at once. Twice is once: what Redis knows of an agent with this boot stays.
-- Returns 'added' | 'known' | 'no_pool'
local pool, agent = ARGV[2], ARGV[3]
if call('EXISTS', P .. ':epoch') == 0 then return 'no_pool' end
local c = call('HMGET', pool_key(pool), 'team', 'closed')
if not c[1] or c[2] == '1' then return 'no_pool' end
if call('HGET', agent_key(agent), 'boot') == ARGV[5] then return 'known' end
call('DEL', agent_key(agent, 'leases'), agent_key(agent, 'resuming'))
call('HSET', agent_key(agent), 'pool', pool, 'address', ARGV[4], 'boot', ARGV[5], 'state', 'idle',
  'nonce', ARGV[6], 'uses', ARGV[7], 'last_used', ARGV[8], 'slots', ARGV[9], 'born', int(now - tonumber(ARGV[10])),
  'reserved', 0, 'busy', 0, 'parked', 0, 'errors', 0, 'tenant', '', 'drain', '')
call('SADD', pool_key(pool, 'agents'), agent)
call('ZADD', pool_key(pool, 'idle'), int(now), agent)
call('HDEL', pool_key(pool), 'made_room')
changed(pool)
dispatch(pool)
return 'added'
