-- tidy: number and clock. Goes on with what a deletion has left. Answers with 1 if there is more to do.
--@flags allow-oom
--@include rows log leases places moves ids
--@lazily lanes
open()
tidy()
finish()
return (queue.scan or queue.untidy) and 1 or 0
