-- ARGV: prefix, pool, holder, token, keep, client. Ends the wait (or grant) that `token` stands for, exactly once.
-- A grant that raced is kept ('1': the caller still wants it) or given back at once ('0'), unless another client has
-- asked for the same since ('': whichever has it).
-- Returns {'withdrawn'} | {'granted', text} | {'returned'} | {'none'}
local pool, holder, token = ARGV[2], ARGV[3], ARGV[4]
local w = read_waiter(pool, holder)
if w and w.token == token then
  drop_waiter(pool, w)
  changed(pool)
  return {'withdrawn'}
end
local v = call('HMGET', lease_key(token), 'pool', 'client')
if v[1] ~= pool or (ARGV[6] ~= '' and v[2] ~= ARGV[6]) then return {'none'} end
if ARGV[5] == '1' then return {'granted', grant_text(token)} end
local ended = end_lease(token)
settle(pool, ended.agent)
dispatch(pool)
return {'returned'}
