-- ARGV: prefix, token, ttl_ms, release ('1' gives the lead up), silent. Who leads says so again and again, each time
-- with another number. Whoever saw no change for long enough by its own clock takes over, by telling in `silent` what
-- it saw: the server's clock may have been set back, and the key may last for hours.
-- Returns '' when the token leads (or gave up), else what the leader said last.
local key = P .. ':leader'
local said = call('GET', key)
local leader = said and said:match('^(.-)|')
if ARGV[4] == '1' then
  if leader == ARGV[2] then call('DEL', key) end
  return ''
end
if leader and leader ~= ARGV[2] and said ~= ARGV[5] then return said end
call('SET', key, ARGV[2] .. '|' .. int(call('INCR', P .. ':leader:beat')), 'PX', ARGV[3])
return ''
