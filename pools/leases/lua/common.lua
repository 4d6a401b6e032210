-- Put before every script, after `clock.lua`. ARGV[1] is the key prefix; all times are milliseconds by that clock.
--
-- P:epoch                 number of this life of Redis; without it nothing is granted
-- P:fence                 the last fence given out; only rises
-- P:pool:ID               hash: the rules (see `put_pool`), `rules` (their text); counters seq, version, wait_ms,
--                         wait_count, asked, ended, held_ms, used (what was asked for, what ended, how long
--                         that was held, requests that it sent), made_room; v: the virtual time of its queue;
--                         wake_at, expected, spares: see `wake_at`
-- P:pool:ID:shares        hash team -> weight: the teams that may lease here
-- P:pool:ID:agents        set of agent ids
-- P:pool:ID:idle          sorted set agent -> idle since     P:pool:ID:open   sorted set agent -> leases it has, of
--                                                            those that can take one more
-- P:pool:ID:condemned     set: leave soon        P:pool:ID:leases    sorted set token -> expiry
-- P:pool:ID:holders       hash holder -> token   P:pool:ID:waits     list of the last waits, `ms:granted at`
-- P:pool:ID:waiters       hash holder -> what it asked
-- P:pool:ID:queue:TEAM    sorted set holder -> turn, of one team's waiters
-- P:pool:ID:turns         sorted set team -> start tag of its first waiter, of the teams that wait
-- P:pool:ID:finish        hash team -> finish tag; floor: the virtual time since when it waits; hold: ms that it keeps
--                         a lease
-- P:agent:ID              hash: pool, address, boot, nonce, state, uses, reserved, busy, parked, slots, errors, tenant,
--                         born, last_used, drain, held_ms. busy: leases that run; parked: those whose bodies wait;
--                         held_ms: what its leases that ended took together
-- P:agent:ID:leases       set of tokens          P:agent:ID:resuming    list of tokens that want their place back
-- P:lease:TOKEN           hash: pool, agent, holder, team, client, fence, expires, uses_left, wait_ms, idle_ms, at,
--                         cost, parked ('1' while its body waits)
-- P:client:ID             list of grants and losses, read by one Broker
local P = ARGV[1]
local call = redis.call
local WAITS_KEPT, SILENCE = 1000, 5000

local function int(n) return string.format('%.0f', n) end -- Lua would print large numbers as 1e+15
local function real(n) return string.format('%.3f', n) end
local function pool_key(pool, part) return P .. ':pool:' .. pool .. (part and ':' .. part or '') end
local function agent_key(agent, part) return P .. ':agent:' .. agent .. (part and ':' .. part or '') end
local function lease_key(token) return P .. ':lease:' .. token end
local function queue_key(pool, team) return P .. ':pool:' .. pool .. ':queue:' .. team end
local function changed(pool) call('HINCRBY', pool_key(pool), 'version', 1) end
local function nudge(pool) call('PUBLISH', P .. ':nudge', pool) end
local function wear_nudge() call('PUBLISH', P .. ':nudge', 'wear') end -- for the controller alone

local function tell(client, message)
  if client == '' then return end
  local inbox = P .. ':client:' .. client
  call('RPUSH', inbox, message)
  call('PEXPIRE', inbox, 60000)
end

local function read_rules(pool)
  local c = call('HMGET', pool_key(pool), 'max_uses', 'ttl', 'closed', 'assignment', 'errors', 'max_age', 'mixes',
    'drained', 'max_size')
  if not c[1] then return nil end
  return {max_uses = tonumber(c[1]), ttl = tonumber(c[2]), closed = c[3] == '1', assignment = c[4],
          errors = tonumber(c[5]), max_age = tonumber(c[6]), mixes = c[7] == '1', drained = c[8] == '1', max_size = tonumber(c[9])}
end

-- A grant as one string: token|agent|address|boot|nonce|fence|expires|uses_left|wait_ms|idle_ms|now
local function grant_text(token)
  local v = call('HMGET', lease_key(token), 'agent', 'fence', 'expires', 'uses_left', 'wait_ms', 'idle_ms')
  local a = call('HMGET', agent_key(v[1]), 'address', 'boot', 'nonce')
  return table.concat({token, v[1], a[1] or '', a[2] or '', a[3] or '', v[2], v[3], v[4], v[5], v[6], int(now)}, '|')
end
