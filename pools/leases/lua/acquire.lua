-- ARGV: prefix, pool, holder, client, team, token, timeout_ms, priority, ttl_ms (0: the pool's), most_waiting (0: any
-- number). The same holder gets the same lease again.
-- Returns {'granted', text} | {'waiting'} | {'timeout'} | {'full'} (as many wait as may; it does not) | {'no_epoch'} |
-- {'unknown'} | {'no_pool'} (closed, or not for this team)
local pool, holder, team = ARGV[2], ARGV[3], ARGV[5]
if call('EXISTS', P .. ':epoch') == 0 then return {'no_epoch'} end
local rules = read_rules(pool)
if not rules then return {'unknown'} end
if rules.closed or call('HEXISTS', pool_key(pool, 'shares'), team) == 0 then return {'no_pool'} end

local held = call('HGET', pool_key(pool, 'holders'), holder)
if held then
  if tonumber(call('HGET', lease_key(held), 'expires') or '0') > now then
    call('HSET', lease_key(held), 'client', ARGV[4])
    return {'granted', grant_text(held)}
  end
  revoke(held, 'recycled')
end

local w = read_waiter(pool, holder)
if w then
  -- Another process asks for the same attempt: the grant goes to whoever asked last.
  if w.client ~= ARGV[4] then w.client, w.token = ARGV[4], ARGV[6] end
  w.seen = now
  write_waiter(pool, w)
else
  w = {holder = holder, token = ARGV[6], client = ARGV[4], team = team, since = now,
       deadline = now + tonumber(ARGV[7]), seen = now, priority = tonumber(ARGV[8]), ttl = tonumber(ARGV[9])}
  if call('ZCARD', pool_key(pool, 'turns')) == 0 and not rules.drained then
    local agent, left = take_agent(pool, team, rules)
    if agent then
      call('HINCRBY', pool_key(pool), 'asked', 1)
      make_lease(pool, w, agent, left, rules)
      return {'granted', grant_text(w.token)}
    end
  end
  if tonumber(ARGV[7]) <= 0 then return {'timeout'} end
  local most = tonumber(ARGV[10])
  if most > 0 and call('HLEN', pool_key(pool, 'waiters')) >= most then return {'full'} end
  call('HINCRBY', pool_key(pool), 'asked', 1)
  enqueue(pool, w)
  nudge(pool)
end
-- Agents that lie idle while somebody waits (after a silent waiter was passed over) go out now.
if dispatch(pool, holder) > 0 then
  held = call('HGET', pool_key(pool, 'holders'), holder)
  if held then return {'granted', grant_text(held)} end
end
if w.deadline <= now then
  drop_waiter(pool, w)
  changed(pool)
  return {'timeout'}
end
return {'waiting'}
