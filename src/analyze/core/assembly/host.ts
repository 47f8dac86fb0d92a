/** What the core asks of TypeScript, at the moment it is due: whatever it changes in the memory holds when it returns. */

/** The step of the series at hand is to be the one of this time. */
export declare function moveSeries(timeUs: f64): void;

/** The flow table is full: flows are to leave. */
export declare function evictFlows(): void;

/** A packet has come for the flow at this place, which is over: it is to leave. */
export declare function expireFlow(place: i32, isIpv6: bool): void;

/** The connections are full: some are to leave. */
export declare function evictConnections(): void;

/** Another connection begins on the ports of this one, which is over: what came of it, see Outcome. */
export declare function conclude(connection: i32): i32;

/** The segment of the row may say something to who follows what its connection carries. */
export declare function follow(row: i32, connection: i32): void;

/** The datagram of the row may be of a protocol that is read. */
export declare function datagram(row: i32): void;
