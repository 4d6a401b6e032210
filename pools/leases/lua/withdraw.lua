-- ARGV: prefix, pool, holder, token, keep. Ends the wait (or grant) that `token` stands for, exactly once.
-- A grant that raced is kept ('1': the caller still wants it) or given back at once ('0').
-- Returns {'withdrawn'} | {'granted', text} | {'returned'} | {'none'}
local pool, holder, token = ARGV[2], ARGV[3], ARGV[4]
local w = read_waiter(pool, holder)
if w and w.token == token then
  drop_waiter(pool, w)
  changed(pool)
  return {'withdrawn'}
end
if call('HGET', lease_key(token), 'pool') ~= pool then return {'none'} end
if ARGV[5] == '1' then return {'granted', grant_text(token)} end
local ended = end_lease(token)
settle(pool, ended.agent)
dispatch(pool)
return {'returned'}
