-- Whether the server does what every other script needs: it writes, and tells the time. A write that frees memory: a
-- full server is there all the same, for whoever frees some.
-- KEYS[1]: a key of its own. Returns the server's time: seconds, microseconds.
redis.call('DEL', KEYS[1])
return redis.call('TIME')
