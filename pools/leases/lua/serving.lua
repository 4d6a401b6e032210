-- Agents between leases. Put after `common.lua`.

local function condemn(pool, agent, reason)
  call('HSET', agent_key(agent), 'state', 'condemned', 'drain', reason)
  call('ZREM', pool_key(pool, 'idle'), agent)
  call('ZREM', pool_key(pool, 'open'), agent)
  call('SADD', pool_key(pool, 'condemned'), agent)
  changed(pool)
  nudge(pool)
end

-- It serves those who hold a lease on it, and nobody else; with the last of them it is condemned.
local function close_agent(pool, agent, reason)
  call('HSET', agent_key(agent), 'drain', reason)
  call('ZREM', pool_key(pool, 'open'), agent)
  changed(pool)
end

local function end_agent(pool, agent, busy, reason)
  if busy > 0 then close_agent(pool, agent, reason) else condemn(pool, agent, reason) end
end

-- How many requests the next lease on this agent may send, or nil when it must not have one. An agent that is worn
-- out is retired on the way; one that served another tenant is left to that one (unless the pool mixes them).
local function uses_for(pool, agent, team, rules)
  local a = call('HMGET', agent_key(agent), 'uses', 'reserved', 'busy', 'slots', 'born', 'tenant', 'parked')
  if not a[1] then
    call('ZREM', pool_key(pool, 'idle'), agent)
    call('ZREM', pool_key(pool, 'open'), agent)
    return nil
  end
  local busy, slots, parked = tonumber(a[3]), tonumber(a[4]), tonumber(a[7] or '0')
  local left = rules.max_uses - tonumber(a[1]) - tonumber(a[2])
  if parked >= MOST_PARKED then return nil end
  if left <= 0 then
    if busy + parked == 0 then condemn(pool, agent, 'max_uses') end
    return nil
  end
  if rules.max_age > 0 and now - tonumber(a[5]) >= rules.max_age then
    end_agent(pool, agent, busy + parked, 'max_age')
    return nil
  end
  if (parked > 0 or not rules.mixes) and a[6] ~= '' and a[6] ~= team then return nil end
  if slots > 1 then left = math.max(1, math.floor(left / (slots - busy))) end
  return left
end

-- Agents that could take a lease, in the order in which the pool assigns them. `all`: else only the first of those
-- that are idle.
local function candidates(pool, rules, all)
  local last = all and -1 or 0
  local order, open = {}, {}
  local function add(list) for _, agent in ipairs(list) do order[#order + 1] = agent end end
  if rules.assignment == 'lifo' then
    -- The one that came free last: the others may then reach their idle time-out. Busy ones are filled up first.
    -- Last those where bodies are parked: they want their place back.
    add(call('ZREVRANGEBYSCORE', pool_key(pool, 'open'), '+inf', 1))
    add(call('ZREVRANGE', pool_key(pool, 'idle'), 0, last))
    add(call('ZRANGEBYSCORE', pool_key(pool, 'open'), 0, 0))
    return order
  end
  local idle = call('ZRANGE', pool_key(pool, 'idle'), 0, rules.assignment == 'least_used' and -1 or last)
  if rules.assignment == 'least_used' then
    local uses = {}
    for _, agent in ipairs(idle) do uses[agent] = tonumber(call('HGET', agent_key(agent), 'uses') or '0') end
    table.sort(idle, function(a, b) if uses[a] ~= uses[b] then return uses[a] < uses[b] end return a < b end)
  end
  add(idle)
  add(call('ZRANGE', pool_key(pool, 'open'), 0, -1))
  return order
end

-- An agent for the team: its id and how many requests its lease may send; nil when there is none.
local function take_agent(pool, team, rules)
  for _, all in ipairs({false, true}) do
    for _, agent in ipairs(candidates(pool, rules, all)) do
      local left = uses_for(pool, agent, team, rules)
      if left then return agent, left end
    end
    if call('ZCARD', pool_key(pool, 'idle')) == 0 then return nil end
  end
  return nil
end

-- A parked lease runs again, where its agent has a place.
local function resume(agent, token)
  call('HSET', lease_key(token), 'parked', '')
  call('HINCRBY', agent_key(agent), 'parked', -1)
  call('HINCRBY', agent_key(agent), 'reserved', tonumber(call('HGET', lease_key(token), 'uses_left')))
  return call('HINCRBY', agent_key(agent), 'busy', 1)
end

-- The agent after a lease ended or was parked: who was parked there resumes first; then it can be leased again, or is
-- condemned. `drain`: why it must leave, or nil.
local function settle(pool, agent, drain)
  local a = call('HMGET', agent_key(agent), 'busy', 'slots', 'uses', 'reserved', 'drain', 'state', 'parked')
  if not a[1] or a[6] == 'condemned' then return end
  local busy, parked = tonumber(a[1]), tonumber(a[7] or '0')
  while busy < tonumber(a[2]) do
    local token = call('LPOP', agent_key(agent, 'resuming'))
    if not token then break end
    busy, parked = resume(agent, token), parked - 1
    tell(call('HGET', lease_key(token), 'client'), 'resumed|' .. token)
  end
  if not drain and a[5] ~= '' then drain = a[5] end
  local max_uses = tonumber(call('HGET', pool_key(pool), 'max_uses') or '0')
  if not drain and busy + parked == 0 and tonumber(a[3]) >= max_uses then drain = 'max_uses' end
  if drain then return end_agent(pool, agent, busy + parked, drain) end
  if busy + parked == 0 then
    call('HSET', agent_key(agent), 'state', 'idle')
    call('ZREM', pool_key(pool, 'open'), agent)
    call('ZADD', pool_key(pool, 'idle'), int(now), agent)
  elseif busy < tonumber(a[2]) and parked < MOST_PARKED and tonumber(a[3]) + tonumber(a[4]) < max_uses then
    call('ZADD', pool_key(pool, 'open'), busy, agent)
  else
    call('ZREM', pool_key(pool, 'open'), agent)
  end
  changed(pool)
end
