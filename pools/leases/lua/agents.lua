-- ARGV: prefix, pool… Returns for each agent of these pools:
-- id|pool|state|uses|last_used|boot|drain|leases|tenant|born|parked|reserved|held_ms
local answers = {}
for i = 2, #ARGV do
  for _, agent in ipairs(call('SMEMBERS', pool_key(ARGV[i], 'agents'))) do
    local v = call('HMGET', agent_key(agent), 'state', 'uses', 'last_used', 'boot', 'drain', 'busy', 'tenant', 'born',
      'parked', 'reserved', 'held_ms')
    if v[1] then
      local state = v[1]
      if state == 'leased' and v[5] ~= '' then state = 'draining' end
      answers[#answers + 1] = table.concat(
        {agent, ARGV[i], state, v[2], v[3], v[4], v[5],
          int(tonumber(v[6]) + tonumber(v[9] or '0')), v[7], v[8], v[9] or '0', v[10] or '0', v[11] or '0'}, '|')
    end
  end
end
return answers
