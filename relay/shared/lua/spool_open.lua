-- Makes the spool if it is not there and ARGV[3] is '1'.
-- ARGV: the schema that is made, the name that is given. Returns the schema and the name of the one that is there.
if redis.call('EXISTS', root) == 0 and ARGV[3] == '1' then
  redis.call('HSET', root, 'schema', ARGV[1], 'name', ARGV[2])
end
return redis.call('HMGET', root, 'schema', 'name')
