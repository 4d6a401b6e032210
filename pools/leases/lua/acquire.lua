-- ARGV: prefix, pool, holder, client, team, token, timeout_ms, priority. The same holder gets the same lease
-- again.
-- Returns {'granted', text} | {'waiting'} | {'timeout'} | {'no_epoch'} | {'no_pool'}
local pool, holder = ARGV[2], ARGV[3]
if call('EXISTS', P .. ':epoch') == 0 then return {'no_epoch'} end
local c = call('HMGET', pool_key(pool), 'team', 'max_uses', 'ttl_ms', 'closed')
if not c[1] or c[4] or c[1] ~= ARGV[5] then return {'no_pool'} end

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
  w = {holder = holder, token = ARGV[6], client = ARGV[4], team = ARGV[5], since = now,
       deadline = now + tonumber(ARGV[7]), seen = now, priority = tonumber(ARGV[8])}
  if call('ZCARD', pool_key(pool, 'queue')) == 0 then
    local agent, since, left = take_idle(pool, tonumber(c[2]))
    if agent then
      make_lease(pool, w, agent, since, left, tonumber(c[3]))
      return {'granted', grant_text(w.token)}
    end
  end
  if tonumber(ARGV[7]) <= 0 then return {'timeout'} end
  enqueue(pool, w)
  nudge(pool)
end
-- Agents that lie idle while somebody waits (after a silent waiter was passed over) go out now.
if dispatch(pool) > 0 then
  held = call('HGET', pool_key(pool, 'holders'), holder)
  if held then return {'granted', grant_text(held)} end
end
if w.deadline <= now then
  drop_waiter(pool, holder)
  changed(pool)
  return {'timeout'}
end
return {'waiting'}
