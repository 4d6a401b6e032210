-- ARGV: prefix, beginning, end, budgets … Reserves of holders that begin so and do not end so: of those that are gone.
for i = 4, #ARGV do
  for _, part in ipairs({'reserved', 'seen'}) do
    for _, holder in ipairs(call('HKEYS', key(ARGV[i], part))) do
      if string.sub(holder, 1, #ARGV[2]) == ARGV[2] and string.sub(holder, -#ARGV[3]) ~= ARGV[3] then
        call('HDEL', key(ARGV[i], 'reserved'), holder)
        stop_waiting(ARGV[i], holder)
      end
    end
  end
end
return 1
