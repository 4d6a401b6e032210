-- The queue: start-time fair queueing over teams (Goyal, Vin, Cheng 1996), which stays fair when the number of agents
-- changes; inside a team the highest priority (-100 to 100), then first come, first served. Put after `serving.lua`.
--
-- Tags are milliseconds of service divided by a team's weight. A lease is charged when it is granted, by what the team
-- kept its leases for lately, and corrected when it ends. A team is never charged further ahead than AHEAD, so that
-- what it used while nobody else wanted it is forgotten soon.
local STEP = 2 ^ 42 -- a turn is exact in a double: 2^49 at most
local FIRST_HOLD, AHEAD = 1, 30000

local function read_waiter(pool, holder)
  local text = call('HGET', pool_key(pool, 'waiters'), holder)
  if not text then return nil end
  local token, client, team, since, deadline, seen, ttl = text:match('^(.-)|(.-)|(.-)|(.-)|(.-)|(.-)|(.-)$')
  return {holder = holder, token = token, client = client, team = team, since = tonumber(since),
          deadline = tonumber(deadline), seen = tonumber(seen), ttl = tonumber(ttl)}
end

local function write_waiter(pool, w)
  call('HSET', pool_key(pool, 'waiters'), w.holder, table.concat(
    {w.token, w.client, w.team, int(w.since), int(w.deadline), int(w.seen), int(w.ttl)}, '|'))
end

local function drop_waiter(pool, w)
  call('HDEL', pool_key(pool, 'waiters'), w.holder)
  if call('HLEN', pool_key(pool, 'waiters')) == 0 then call('HDEL', pool_key(pool), 'made_room') end
  call('ZREM', queue_key(pool, w.team), w.holder)
  if call('ZCARD', queue_key(pool, w.team)) == 0 then call('ZREM', pool_key(pool, 'turns'), w.team) end
end

local function virtual_time(pool) return tonumber(call('HGET', pool_key(pool), 'v') or '0') end

local function weight_of(pool, team) return tonumber(call('HGET', pool_key(pool, 'shares'), team) or '1') end

local function start_tag(pool, team)
  local waiting = call('ZSCORE', pool_key(pool, 'turns'), team)
  if waiting then return tonumber(waiting) end
  return math.max(virtual_time(pool), tonumber(call('HGET', pool_key(pool, 'finish'), team) or '0'))
end

local function enqueue(pool, w)
  local turn = call('HINCRBY', pool_key(pool), 'seq', 1) - (w.priority or 0) * STEP
  if not call('ZSCORE', pool_key(pool, 'turns'), w.team) then
    call('HSET', pool_key(pool, 'floor'), w.team, real(virtual_time(pool)))
  end
  call('ZADD', pool_key(pool, 'turns'), real(start_tag(pool, w.team)), w.team)
  call('ZADD', queue_key(pool, w.team), int(turn), w.holder)
  write_waiter(pool, w)
  changed(pool)
end

-- The first waiter of the team; those whose time is up, or whose process fell silent, are passed over.
local function first_waiter(pool, team)
  while true do
    local holder = call('ZRANGE', queue_key(pool, team), 0, 0)[1]
    if not holder then
      call('ZREM', pool_key(pool, 'turns'), team)
      return nil
    end
    local w = read_waiter(pool, holder)
    if w and w.deadline > now and w.seen > now - SILENCE then return w end
    if w then drop_waiter(pool, w) else call('ZREM', queue_key(pool, team), holder) end
    changed(pool)
  end
end

-- Charges the team for a lease that begins; returns what it was charged.
local function charge(pool, team)
  local start, v = start_tag(pool, team), virtual_time(pool)
  local cost = tonumber(call('HGET', pool_key(pool, 'hold'), team) or FIRST_HOLD)
  v = math.max(v, start)
  local finish = math.min(start + cost / weight_of(pool, team), v + AHEAD)
  call('HSET', pool_key(pool), 'v', real(v))
  call('HSET', pool_key(pool, 'finish'), team, real(finish))
  if call('ZSCORE', pool_key(pool, 'turns'), team) then call('ZADD', pool_key(pool, 'turns'), real(finish), team) end
  return cost
end

-- The lease is over, and what it took is known.
local function correct(pool, team, cost, took)
  -- Rather too little than too much: what was charged too much may have moved the virtual time already.
  local hold = math.min(took, 0.8 * tonumber(call('HGET', pool_key(pool, 'hold'), team) or took) + 0.2 * took)
  call('HSET', pool_key(pool, 'hold'), team, real(hold))
  local more, v = (took - cost) / weight_of(pool, team), virtual_time(pool)
  local finish = tonumber(call('HGET', pool_key(pool, 'finish'), team) or '0')
  call('HSET', pool_key(pool, 'finish'), team, real(math.min(finish + more, v + AHEAD)))
  local tag = call('ZSCORE', pool_key(pool, 'turns'), team)
  if tag then
    local floor = tonumber(call('HGET', pool_key(pool, 'floor'), team) or v)
    call('ZADD', pool_key(pool, 'turns'), real(math.max(floor, math.min(tonumber(tag) + more, v + AHEAD))), team)
  end
end

local function make_lease(pool, w, agent, uses_left, rules)
  local a = call('HMGET', agent_key(agent), 'busy', 'slots')
  local busy = tonumber(a[1]) + 1
  local since = tonumber(call('ZSCORE', pool_key(pool, 'idle'), agent) or now)
  local fence = call('INCR', P .. ':fence')
  local ttl = w.ttl > 0 and w.ttl or rules.ttl
  -- Until its first heartbeat it lasts no longer than the pool's leases do: whoever asked may have died meanwhile.
  local expires = now + math.min(ttl, rules.ttl)
  local wait, cost = math.max(0, now - w.since), charge(pool, w.team)
  call('HSET', lease_key(w.token), 'pool', pool, 'agent', agent, 'holder', w.holder, 'client', w.client,
    'team', w.team, 'fence', int(fence), 'expires', int(expires), 'uses_left', uses_left, 'wait_ms', int(wait),
    'idle_ms', int(math.max(0, now - since)), 'at', int(now), 'cost', real(cost), 'ttl', int(ttl))
  call('ZADD', pool_key(pool, 'leases'), int(expires), w.token)
  call('HSET', pool_key(pool, 'holders'), w.holder, w.token)
  call('SADD', agent_key(agent, 'leases'), w.token)
  call('HSET', agent_key(agent), 'state', 'leased', 'busy', busy, 'tenant', w.team)
  call('HINCRBY', agent_key(agent), 'reserved', uses_left)
  call('ZREM', pool_key(pool, 'idle'), agent)
  if busy < tonumber(a[2]) then
    call('ZADD', pool_key(pool, 'open'), busy, agent)
  else
    call('ZREM', pool_key(pool, 'open'), agent)
  end
  local stats = pool_key(pool)
  -- The last use of an agent that has one lease at a time: its replacement may be made meanwhile.
  if uses_left <= 1 and a[2] == '1' and tonumber(call('HGET', stats, 'wake_at') or '0') > 0 then wear_nudge() end
  call('HINCRBY', stats, 'wait_ms', int(wait))
  call('HINCRBY', stats, 'wait_count', 1)
  changed(pool)
  if call('LPUSH', pool_key(pool, 'waits'), int(wait) .. ':' .. int(now)) > WAITS_KEPT + 100 then
    call('LTRIM', pool_key(pool, 'waits'), 0, WAITS_KEPT - 1)
  end
end

local function serve_next(pool, rules, asking)
  for _, team in ipairs(call('ZRANGE', pool_key(pool, 'turns'), 0, -1)) do
    local w = first_waiter(pool, team)
    if w then
      local agent, left = take_agent(pool, team, rules)
      if agent then
        make_lease(pool, w, agent, left, rules) -- charges the team while it still counts as waiting
        drop_waiter(pool, w)
        if w.holder ~= asking then tell(w.client, 'granted|' .. grant_text(w.token)) end
        return true
      end
    end
  end
  return false
end

-- Whatever is idle while somebody waits has served others: where the pool is full, one for each waiter makes room for a
-- fresh agent.
local function make_room(pool, rules)
  if call('ZCARD', pool_key(pool, 'turns')) == 0 or call('ZCARD', pool_key(pool, 'idle')) == 0 then return end
  if call('SCARD', pool_key(pool, 'agents')) < rules.max_size then return end
  local ended = tonumber(call('HGET', pool_key(pool), 'made_room') or '0')
  if ended >= call('HLEN', pool_key(pool, 'waiters')) then return end
  call('HSET', pool_key(pool), 'made_room', ended + 1)
  condemn(pool, call('ZRANGE', pool_key(pool, 'idle'), 0, 0)[1], 'recycled')
end

-- Hands agents to those who wait, one to one, never by broadcast. Returns how many leases it made. `asking`: the holder
-- who asks right now, and gets its grant as the answer.
local function dispatch(pool, asking)
  if call('ZCARD', pool_key(pool, 'turns')) == 0 then return 0 end
  local rules = read_rules(pool)
  if not rules or rules.closed or rules.drained then return 0 end
  local given = 0
  while call('ZCARD', pool_key(pool, 'idle')) + call('ZCARD', pool_key(pool, 'open')) > 0
    and serve_next(pool, rules, asking) do
    given = given + 1
  end
  make_room(pool, rules)
  return given
end

-- Ends a lease, and tells the agent apart from what becomes of it: its pool, agent, client and holder.
local function end_lease(token)
  local v = call('HMGET', lease_key(token), 'pool', 'agent', 'holder', 'client', 'team', 'uses_left', 'at', 'cost',
    'parked')
  if not v[1] then return nil end
  local pool, agent = v[1], v[2]
  call('DEL', lease_key(token))
  call('ZREM', pool_key(pool, 'leases'), token)
  if call('HGET', pool_key(pool, 'holders'), v[3]) == token then call('HDEL', pool_key(pool, 'holders'), v[3]) end
  local took = math.max(0, now - tonumber(v[7]))
  call('HINCRBY', pool_key(pool), 'ended', 1)
  call('HINCRBY', pool_key(pool), 'held_ms', int(took))
  correct(pool, v[5], tonumber(v[8]), took)
  if call('SREM', agent_key(agent, 'leases'), token) == 1 then
    call('HINCRBY', agent_key(agent), v[9] == '1' and 'parked' or 'busy', -1)
    call('HINCRBY', agent_key(agent), 'held_ms', int(took))
    if v[9] == '1' then call('LREM', agent_key(agent, 'resuming'), 0, token) end
    if v[9] ~= '1' then call('HINCRBY', agent_key(agent), 'reserved', -tonumber(v[6])) end
  end
  return {pool = pool, agent = agent, client = v[4], uses_left = tonumber(v[6])}
end

-- An expired or revoked lease: its holder may still be at work, so the agent is not used again.
local function revoke(token, reason)
  local ended = end_lease(token)
  if not ended then return end
  tell(ended.client, 'lost|' .. token)
  settle(ended.pool, ended.agent, reason)
end

local function is_meant(holder, beginning, ending)
  return holder:sub(1, #beginning) == beginning and holder:sub(-#ending) ~= ending
end

-- Since when the first waiter of a team, the one of them that has waited longest, waits; nil when nobody does.
local function longest_since(pool)
  local since = nil
  for _, team in ipairs(call('ZRANGE', pool_key(pool, 'turns'), 0, -1)) do
    local holder = call('ZRANGE', queue_key(pool, team), 0, 0)[1]
    local w = holder and read_waiter(pool, holder)
    if w and (not since or w.since < since) then since = w.since end
  end
  return since
end

local function forget_queue(pool)
  for _, holder in ipairs(call('HKEYS', pool_key(pool, 'waiters'))) do
    call('DEL', queue_key(pool, read_waiter(pool, holder).team))
  end
  for _, part in ipairs({'waiters', 'turns', 'finish', 'floor', 'hold'}) do call('DEL', pool_key(pool, part)) end
  call('HDEL', pool_key(pool), 'v')
end
