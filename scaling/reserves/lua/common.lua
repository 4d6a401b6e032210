-- Put before every script, after the clock. ARGV[1] is the key prefix, `now` milliseconds by the server's clock.
--
-- P:budget:ID           hash: limit, spent (up to `at`), at (ms), rate (a second), committed, enforce ('1'), opens (ms:
--                       nothing is admitted before that), most:POOL (agents that the pool may have). Amounts in
--                       the currency. Told by the treasury
-- P:budget:ID:reserved  hash holder -> until (ms)|rate a second
-- P:budget:ID:waiting   sorted set holder or line -> rank: the higher priority first, then who came first
-- P:budget:ID:seen      hash holder or line -> when it asked last (ms)|since (ms)|what its call may cost|for how many calls
local P = ARGV[1]
local call = redis.call
local SILENCE = 5000

local function key(id, part) return P .. ':budget:' .. id .. (part and ':' .. part or '') end
local function number(n) return string.format('%.17g', n) end

-- What is reserved, without what `but` has reserved. Reserves whose time is up are forgotten.
local function reserved(id, but)
  local sum, all = 0, call('HGETALL', key(id, 'reserved'))
  for i = 1, #all, 2 do
    local till, rate = string.match(all[i + 1], '^(.-)|(.*)$')
    local left = tonumber(till) - now
    if left <= 0 then
      call('HDEL', key(id, 'reserved'), all[i])
    elseif all[i] ~= but then
      sum = sum + left / 1000 * tonumber(rate)
    end
  end
  return sum
end

local function stop_waiting(id, holder)
  call('ZREM', key(id, 'waiting'), holder)
  call('HDEL', key(id, 'seen'), holder)
end

-- The first that waits; those that do not ask any more are passed over.
local function first_waiting(id)
  while true do
    local holder = call('ZRANGE', key(id, 'waiting'), 0, 0)[1]
    if not holder then return nil end
    local seen = string.match(call('HGET', key(id, 'seen'), holder) or '0|0|0', '^(.-)|')
    if now - tonumber(seen) <= SILENCE then return holder end
    stop_waiting(id, holder)
  end
end
