-- ARGV: prefix, pool, holder, token, keep. Ends the wait (or grant) that `token` stands for, exactly once.
-- A grant that raced is kept ('1': the caller still wants it) or given back at once ('0').
-- Returns {'withdrawn'} | {'granted', text} | {'returned'} | {'none'}
local pool, holder, token = ARGV[2], ARGV[3], ARGV[4]
local w = read_waiter(pool, holder)
if w and w.token == token then
  drop_waiter(pool, holder)
  changed(pool)
  return {'withdrawn'}
end
local v = call('HMGET', lease_key(token), 'agent', 'pool')
if not v[1] or v[2] ~= pool then return {'none'} end
if ARGV[5] == '1' then return {'granted', grant_text(token)} end
end_lease(pool, token, holder)
give_back(pool, v[1], 0)
return {'returned'}
