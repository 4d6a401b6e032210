-- Put before every script. ARGV[1] is the key prefix; all times are milliseconds of the server's clock.
--
-- P:epoch                 number of this life of Redis; without it nothing is granted
-- P:fence                 the last fence given out; only rises
-- P:pool:ID               hash: team, max_uses, ttl_ms, closed; counters seq, version, wait_ms, wait_count
-- P:pool:ID:agents        set of agent ids       P:pool:ID:idle      sorted set agent -> idle since
-- P:pool:ID:condemned     set: leave soon        P:pool:ID:leases    sorted set token -> expiry
-- P:pool:ID:holders       hash holder -> token   P:pool:ID:waits     list of the last waits in ms
-- P:pool:ID:queue         sorted set holder -> turn;  P:pool:ID:waiters  hash holder -> what it asked
-- P:agent:ID              hash: pool, address, boot, nonce, state, uses, last_used, lease, drain
-- P:lease:TOKEN           hash: pool, agent, holder, client, fence, expires, uses_left, wait_ms, idle_ms
-- P:client:ID             list of grants and losses, read by one Broker
local P = ARGV[1]
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local WAITS_KEPT, SILENCE = 1000, 5000

local function int(n) return string.format('%.0f', n) end -- Lua would print large numbers as 1e+15
local function pool_key(pool, part) return P .. ':pool:' .. pool .. (part and ':' .. part or '') end
local function agent_key(agent) return P .. ':agent:' .. agent end
local function lease_key(token) return P .. ':lease:' .. token end
local function changed(pool) call('HINCRBY', pool_key(pool), 'version', 1) end
local function nudge(pool) call('PUBLISH', P .. ':nudge', pool) end

local function tell(client, message)
  if client == '' then return end
  local inbox = P .. ':client:' .. client
  call('RPUSH', inbox, message)
  call('PEXPIRE', inbox, 60000)
end

-- A grant as one string: token|agent|address|boot|nonce|fence|expires|uses_left|wait_ms|idle_ms|now
local function grant_text(token)
  local v = call('HMGET', lease_key(token), 'agent', 'fence', 'expires', 'uses_left', 'wait_ms', 'idle_ms')
  local a = call('HMGET', agent_key(v[1]), 'address', 'boot', 'nonce')
  return table.concat({token, v[1], a[1] or '', a[2] or '', a[3] or '', v[2], v[3], v[4], v[5], v[6], int(now)}, '|')
end

local function condemn(pool, agent, reason)
  call('HSET', agent_key(agent), 'state', 'condemned', 'drain', reason)
  call('ZREM', pool_key(pool, 'idle'), agent)
  call('SADD', pool_key(pool, 'condemned'), agent)
  changed(pool)
  nudge(pool)
end

-- Ends a lease without deciding what becomes of its agent.
local function end_lease(pool, token, holder)
  call('DEL', lease_key(token))
  call('ZREM', pool_key(pool, 'leases'), token)
  if call('HGET', pool_key(pool, 'holders'), holder) == token then
    call('HDEL', pool_key(pool, 'holders'), holder)
  end
end

-- An expired or revoked lease: its holder may still be at work, so the agent is not used again.
local function revoke(token, reason)
  local v = call('HMGET', lease_key(token), 'pool', 'agent', 'holder', 'client')
  if not v[1] then return end
  end_lease(v[1], token, v[3])
  tell(v[4], 'lost|' .. token)
  if call('EXISTS', agent_key(v[2])) == 1 then condemn(v[1], v[2], reason) end
end

-- Takes the agent that came free last (the others may then reach their idle time-out).
-- An agent whose uses are spent is retired on the way.
local function take_idle(pool, max_uses)
  while true do
    local top = call('ZPOPMAX', pool_key(pool, 'idle'))
    if not top[1] then return nil end
    local uses = tonumber(call('HGET', agent_key(top[1]), 'uses') or max_uses)
    if uses < max_uses then return top[1], tonumber(top[2]), max_uses - uses end
    condemn(pool, top[1], 'max_uses')
  end
end

local function make_lease(pool, w, agent, idle_since, uses_left, ttl)
  local fence = call('INCR', P .. ':fence')
  local wait, expires = math.max(0, now - w.since), now + ttl
  call('HSET', lease_key(w.token), 'pool', pool, 'agent', agent, 'holder', w.holder, 'client', w.client,
    'fence', int(fence), 'expires', int(expires), 'uses_left', uses_left, 'wait_ms', int(wait),
    'idle_ms', int(math.max(0, now - idle_since)))
  call('ZADD', pool_key(pool, 'leases'), int(expires), w.token)
  call('HSET', pool_key(pool, 'holders'), w.holder, w.token)
  call('HSET', agent_key(agent), 'state', 'leased', 'lease', w.token)
  local stats = pool_key(pool)
  call('HINCRBY', stats, 'wait_ms', int(wait))
  call('HINCRBY', stats, 'wait_count', 1)
  changed(pool)
  if call('LPUSH', pool_key(pool, 'waits'), int(wait)) > WAITS_KEPT + 100 then
    call('LTRIM', pool_key(pool, 'waits'), 0, WAITS_KEPT - 1)
  end
end

local function read_waiter(pool, holder)
  local text = call('HGET', pool_key(pool, 'waiters'), holder)
  if not text then return nil end
  local token, client, team, since, deadline, seen = text:match('^(.-)|(.-)|(.-)|(.-)|(.-)|(.-)$')
  return {holder = holder, token = token, client = client, team = team, since = tonumber(since),
          deadline = tonumber(deadline), seen = tonumber(seen)}
end

local function write_waiter(pool, w)
  call('HSET', pool_key(pool, 'waiters'), w.holder, table.concat(
    {w.token, w.client, w.team, int(w.since), int(w.deadline), int(w.seen)}, '|'))
end

local function drop_waiter(pool, holder)
  call('ZREM', pool_key(pool, 'queue'), holder)
  return call('HDEL', pool_key(pool, 'waiters'), holder)
end

-- The whole queueing discipline: who is served next. The highest priority (-100 to 100) first, then first come,
-- first served; fair queueing between tenants would replace `enqueue` (the turn) and nothing else. Those whose
-- time is up, or whose process fell silent, are passed over. A turn is exact in a double: 2^49 at most.
local STEP = 2 ^ 42
local function enqueue(pool, w)
  local turn = call('HINCRBY', pool_key(pool), 'seq', 1) - (w.priority or 0) * STEP
  call('ZADD', pool_key(pool, 'queue'), int(turn), w.holder)
  write_waiter(pool, w)
  changed(pool)
end

local function next_waiter(pool)
  while true do
    local holder = call('ZRANGE', pool_key(pool, 'queue'), 0, 0)[1]
    if not holder then return nil end
    local w = read_waiter(pool, holder)
    drop_waiter(pool, holder)
    if w and w.deadline > now and w.seen > now - SILENCE then return w end
    changed(pool)
  end
end

-- Hands idle agents to those who wait, one to one, never by broadcast. Returns how many it handed over.
local function dispatch(pool)
  if call('ZCARD', pool_key(pool, 'queue')) == 0 then return 0 end
  local c = call('HMGET', pool_key(pool), 'max_uses', 'ttl_ms', 'closed')
  if not c[1] or c[3] then return 0 end
  local given = 0
  while true do
    if call('ZCARD', pool_key(pool, 'queue')) == 0 then return given end
    local agent, since, left = take_idle(pool, tonumber(c[1]))
    if not agent then return given end
    local w = next_waiter(pool)
    if not w then
      call('ZADD', pool_key(pool, 'idle'), int(since), agent)
      return given
    end
    make_lease(pool, w, agent, since, left, tonumber(c[2]))
    tell(w.client, 'granted|' .. grant_text(w.token))
    given = given + 1
  end
end

-- Gives an agent back after a lease: retired, or idle again and at once in the hands of the next waiter.
local function give_back(pool, agent, uses)
  local a = call('HMGET', agent_key(agent), 'uses', 'drain', 'state')
  if not a[1] or a[3] == 'condemned' then return end
  local total = tonumber(a[1]) + uses
  local max_uses = tonumber(call('HGET', pool_key(pool), 'max_uses') or '0')
  call('HSET', agent_key(agent), 'uses', total, 'last_used', int(now), 'lease', '')
  if a[2] and a[2] ~= '' then return condemn(pool, agent, a[2]) end
  if total >= max_uses then return condemn(pool, agent, 'max_uses') end
  call('HSET', agent_key(agent), 'state', 'idle')
  call('ZADD', pool_key(pool, 'idle'), int(now), agent)
  changed(pool)
  dispatch(pool)
end
