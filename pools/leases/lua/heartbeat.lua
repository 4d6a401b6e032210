-- ARGV: prefix, token… Extends each live lease. Returns for each token its new expiry, or '0' when it is lost.
local answers = {}
for i = 2, #ARGV do
  local token = ARGV[i]
  local v = call('HMGET', lease_key(token), 'pool', 'expires', 'ttl')
  if not v[1] then
    answers[#answers + 1] = '0'
  elseif tonumber(v[2]) <= now then
    revoke(token, 'recycled')
    answers[#answers + 1] = '0'
  else
    local expires = now + tonumber(v[3])
    call('HSET', lease_key(token), 'expires', int(expires))
    call('ZADD', pool_key(v[1], 'leases'), int(expires), token)
    answers[#answers + 1] = int(expires)
  end
end
return answers
