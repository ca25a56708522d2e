-- Whether the server does all that every other script needs: it writes, and tells the time.
-- KEYS[1]: a key of its own. Returns the server's time: seconds, microseconds.
redis.call('SET', KEYS[1], '1', 'PX', 60000)
return redis.call('TIME')
