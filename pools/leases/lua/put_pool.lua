-- ARGV: prefix, pool, text, shares (team:weight,…), instead_of (the text that must be there, '' for none; '*': any),
-- then fields and values of the rules: team, max_uses, ttl, closed ('1' | ''), drained (nobody gets a lease),
-- assignment, errors, max_age (ms, 0: none), max_size, mixes ('1' | '': tenants share agents). `text` stands for all
-- of them. Returns 1 when the pool was new.
local pool = ARGV[2]
local key, shares = pool_key(pool), pool_key(pool, 'shares')
if ARGV[5] ~= '*' and (call('HGET', key, 'rules') or '') ~= ARGV[5] then return 0 end
local new = 1 - call('EXISTS', key)
call('HSET', key, 'rules', ARGV[3])
for i = 6, #ARGV, 2 do call('HSET', key, ARGV[i], ARGV[i + 1]) end
call('DEL', shares)
for team, weight in ARGV[4]:gmatch('([^:,]+):([^,]+)') do call('HSET', shares, team, weight) end
call('SADD', P .. ':pools', pool)
changed(pool)
return new
