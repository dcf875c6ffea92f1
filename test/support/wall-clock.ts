/**
 * For tests of how many milliseconds something takes, on a clock that cannot be injected: that of a server, of another
 * process, of a browser. A machine that stalls fails such a test now and then, a fault fails it each time.
 */
export const WALL_CLOCK = { retry: 2 }
