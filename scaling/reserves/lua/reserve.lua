-- ARGV: prefix, holder, pool, seconds, rate a second, priority, '1' to reserve (else it is only asked), who waits if it
-- is refused (its line), ms that it has waited, calls of its line that may begin and have not reserved yet, calls that it
-- asks for, budgets …
-- In all of them or in none. Returns {'ok'} | {'full', budget} | {'opening', budget} (too young, or Redis has
-- just lost its memory: reserves are being told again; or not looked at for long, as no controller runs)
local STALE = 10000
local holder, seconds, rate, line = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[8]
local came, need = now - tonumber(ARGV[9]), seconds * rate * (1 + tonumber(ARGV[10]))
for i = 12, #ARGV do
  local id = ARGV[i]
  local b = call('HMGET', key(id), 'limit', 'spent', 'at', 'rate', 'committed', 'enforce', 'opens')
  if not b[1] or now < tonumber(b[7]) then return {'opening', id} end
  if b[6] == '1' then
    -- What the whole budget could not pay waits in vain, and must not keep others from what they can have.
    if seconds * rate > tonumber(b[1]) then return {'full', id} end
    local spent = tonumber(b[2]) + math.max(0, now - tonumber(b[3])) / 1000 * tonumber(b[4])
    local free = tonumber(b[1]) - spent - tonumber(b[5])
    local first, barred = first_waiting(id), call('HGET', key(id), 'most:' .. ARGV[3]) == '0'
    local known = call('ZSCORE', key(id, 'waiting'), line)
    local rank = tonumber(known or number(came / 1000 - tonumber(ARGV[6]) * 1e10))
    local behind = first and first ~= line and tonumber(call('ZSCORE', key(id, 'waiting'), first)) <= rank
    -- The sum of all reserves comes last: most of those that wait are refused without it.
    if barred or behind or need > free or need > free - reserved(id, holder) then
      if known then
        local since = string.match(call('HGET', key(id, 'seen'), line) or '', '|(.-)|')
        came = math.min(came, tonumber(since or came))
      else
        call('ZADD', key(id, 'waiting'), number(rank), line)
      end
      call('HSET', key(id, 'seen'), line, number(now) .. '|' .. number(came) .. '|' .. number(seconds * rate) .. '|' .. ARGV[11])
      -- Agents may be gone that were there when the treasury looked, long ago: nobody can say that it is full.
      return {now - tonumber(b[3]) > STALE and 'opening' or 'full', id}
    end
  end
end
for i = 12, #ARGV do
  -- Who reserves is in front of its line, which others may wait in by now.
  if ARGV[7] ~= '1' or line == holder then stop_waiting(ARGV[i], line) end
  if ARGV[7] == '1' then
    -- What was reserved for longer stays: a request under way was promised it.
    local before = string.match(call('HGET', key(ARGV[i], 'reserved'), holder) or '0|0', '^(.-)|')
    local till = math.max(tonumber(before), now + seconds * 1000)
    call('HSET', key(ARGV[i], 'reserved'), holder, number(till) .. '|' .. number(rate))
  end
end
return {'ok'}
