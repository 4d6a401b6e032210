-- ARGV: prefix, holder, pool, seconds, rate a second, priority, '1' to reserve (else it is only asked), budgets …
-- In all of them or in none. Returns {'ok'} | {'full', budget} | {'opening', budget} (too young, or Redis has
-- just lost its memory: reserves are being told again; or not looked at for long, as no controller runs)
local STALE = 10000
local holder, seconds, rate = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
for i = 8, #ARGV do
  local id = ARGV[i]
  local b = call('HMGET', key(id), 'limit', 'spent', 'at', 'rate', 'committed', 'enforce', 'opens')
  if not b[1] or now < tonumber(b[7]) then return {'opening', id} end
  if b[6] == '1' then
    -- What the whole budget could not pay waits in vain, and must not keep others from what they can have.
    if seconds * rate > tonumber(b[1]) then return {'full', id} end
    local spent = tonumber(b[2]) + math.max(0, now - tonumber(b[3])) / 1000 * tonumber(b[4])
    local free = tonumber(b[1]) - spent - tonumber(b[5])
    local first, barred = first_waiting(id), call('HGET', key(id), 'most:' .. ARGV[3]) == '0'
    -- The sum of all reserves comes last: most of those that wait are refused without it.
    if barred or (first and first ~= holder) or seconds * rate > free or seconds * rate > free - reserved(id, holder) then
      local since = now
      if call('ZSCORE', key(id, 'waiting'), holder) then
        since = string.match(call('HGET', key(id, 'seen'), holder) or '', '|(.-)|') or now
      else
        call('ZADD', key(id, 'waiting'), number(now / 1000 - tonumber(ARGV[6]) * 1e10), holder)
      end
      call('HSET', key(id, 'seen'), holder, number(now) .. '|' .. since .. '|' .. number(seconds * rate))
      -- Agents may be gone that were there when the treasury looked, long ago: nobody can say that it is full.
      return {now - tonumber(b[3]) > STALE and 'opening' or 'full', id}
    end
  end
end
for i = 8, #ARGV do
  stop_waiting(ARGV[i], holder)
  if ARGV[7] == '1' then
    -- What was reserved for longer stays: a request under way was promised it.
    local before = string.match(call('HGET', key(ARGV[i], 'reserved'), holder) or '0|0', '^(.-)|')
    local till = math.max(tonumber(before), now + seconds * 1000)
    call('HSET', key(ARGV[i], 'reserved'), holder, number(till) .. '|' .. number(rate))
  end
end
return {'ok'}
