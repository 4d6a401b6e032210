-- ARGV: prefix, token, ttl_ms, release ('1' gives the lead up). Returns 1 when the token leads.
local key = P .. ':leader'
local held = call('GET', key)
if ARGV[4] == '1' then
  if held == ARGV[2] then call('DEL', key) end
  return 0
end
if held and held ~= ARGV[2] then return 0 end
call('SET', key, ARGV[2], 'PX', ARGV[3])
return 1
