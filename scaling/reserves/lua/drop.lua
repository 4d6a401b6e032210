-- ARGV: prefix, budget. It is no more.
return call('DEL', key(ARGV[2]), key(ARGV[2], 'reserved'), key(ARGV[2], 'waiting'), key(ARGV[2], 'seen'))
