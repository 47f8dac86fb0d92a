/** Every limit of the source stands here with the test that reaches it: one that is new needs a test too. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** By file and name: the file of a test that fails where the limit is another, and words of its title. */
const REACHED: Readonly<Record<string, readonly [file: string, title: string]>> = {
  "analyze/app/channels.ts MAX_CHANNELS": [
    "analyze/app/channels.test.ts",
    "what finds no room shares a channel without an address",
  ],
  "analyze/app/dns/dns.ts MAX_PENDING": [
    "analyze/app/dns/dns.test.ts",
    "what waits is bounded: the oldest is forgotten, as lost if it is young and unanswered if not",
  ],
  "analyze/app/durations.ts MAX_US": [
    "analyze/app/durations.test.ts",
    "none have no quantile; a negative or unknown one counts as 0, the longest as 19 hours",
  ],
  "analyze/app/exchanges.ts MAX_OPEN_BY_KEY": [
    "analyze/app/exchanges.test.ts",
    "of requests that are answered by key 1,024 wait",
  ],
  "analyze/app/http/http-head.ts MAX_FIELD": [
    "analyze/app/http/http.slow.test.ts",
    "lengths that contradict each other: the message is missed and counted, the next that can be told is read",
  ],
  "analyze/app/http/http-head.ts MAX_METHOD": [
    "analyze/app/http/http.slow.test.ts",
    "what has no method, or is no HTTP/1, is not followed",
  ],
  "analyze/app/http/http.ts MAX_LINE": [
    "analyze/app/http/http.slow.test.ts",
    "heads of any size are read, in pieces too, and hold next to nothing",
  ],
  "analyze/app/http/http.ts MAX_SHOWN": [
    "analyze/app/http/http.slow.test.ts",
    "any token is a method, as it is written; a very long one is not shown",
  ],
  "analyze/app/http/http2.ts MAX_LOOKED_AT": [
    "analyze/app/http/http2.test.ts",
    "a client that sends much and no request is called HTTP/2; one that sends only the preface is not called yet",
  ],
  "analyze/app/operations.ts MAX_OPERATIONS": ["bounds.slow.test.ts", "keeps no more than its bound"],
  "analyze/app/operations.ts MAX_OPERATIONS_OF_CHANNEL": [
    "analyze/app/operations.test.ts",
    "a channel with too many operations, and all of them together, go on as (other)",
  ],
  "analyze/app/postgres/postgres-statements.ts MAX_NAMES": [
    "analyze/app/postgres/postgres.slow.test.ts",
    "statements beyond those remembered are (prepared), and counted",
  ],
  "analyze/app/postgres/postgres.ts MAX_READ": [
    "analyze/app/postgres/postgres.slow.test.ts",
    "a statement's first word is looked for in 1,024 bytes",
  ],
  "analyze/app/postgres/postgres.ts MAX_UNKNOWN": [
    "analyze/app/postgres/postgres.slow.test.ts",
    "a message of an unknown type is passed over",
  ],
  "analyze/app/redis/redis-replies.ts MAX_DEPTH": [
    "analyze/app/redis/redis.slow.test.ts",
    "arrays in each other are followed 4,096 deep; a deeper one is unreadable",
  ],
  "analyze/app/redis/redis.ts MAX_INLINE": [
    "analyze/app/redis/redis.slow.test.ts",
    "an inline command of 60,000 bytes, and a reply nested 1,000 deep, are read",
  ],
  "analyze/app/stream.ts MAX_SCANNED": [
    "analyze/app/redis/redis.slow.test.ts",
    "behind what cannot be read a mebibyte is looked through",
  ],
  "analyze/app/stream.ts MAX_TRIES": [
    "analyze/app/stream.slow.test.ts",
    "an unknown protocol is given up at once, or after some segments if the beginning was not captured",
  ],
  "analyze/app/stream.ts MAX_WAITING": [
    "analyze/app/stream.slow.test.ts",
    "too much that waits makes a gap of what is missing; nothing is held beyond the room there is",
  ],
  "analyze/app/vocabulary.ts MAX_ALL": ["bounds.slow.test.ts", "keeps no more than its bound"],
  "analyze/core/core.ts MAX_PAGES": [
    "analyze/core/core.slow.test.ts",
    "more than the core can address is refused with a reason",
  ],
  "analyze/findings/finding.ts MAX_OF_A_KIND": [
    "analyze/findings/tcp.test.ts",
    "of each kind the worst are said, the rest is counted",
  ],
  "analyze/flow/decapsulate.ts MAX_LEVELS": [
    "analyze/flow/decapsulate.slow.test.ts",
    "four tunnels in each other are entered, and no more",
  ],
  "analyze/inspector.ts MAX_STREAMS": [
    "analyze/inspector.slow.test.ts",
    "connections beyond those followed at once are counted as not followed",
  ],
  "analyze/series.ts MAX_STEPS": [
    "analyze/series.test.ts",
    "property: every packet is in the step it falls in, in at most 300 steps, and sums are exact",
  ],
  "analyze/snapshot/read-snapshot.ts MAX_COLUMNS": [
    "analyze/snapshot/read-snapshot.slow.test.ts",
    "a table of more columns than any has is refused: each row would cost as much",
  ],
  "analyze/snapshot/row-text.ts MAX_ROW": [
    "analyze/snapshot/row-text.test.ts",
    "a row that cannot be read is refused at once",
  ],
  "capture/names/names.ts MAX_FILE_BYTES": [
    "capture/names/names.test.ts",
    "a names file is read; one of more than 16 MiB is not",
  ],
  "commands/analyze/json-memory.ts MAX_DEPTH": [
    "commands/analyze/json-memory.test.ts",
    "a text nested deeper than any document is refused",
  ],
  "commands/serve/users/basic-auth.ts MAX_REMEMBERED": [
    "bounds.slow.test.ts",
    "keeps no more than its bound",
  ],
  "commands/serve/users/login-delays.ts LONGEST_MS": [
    "commands/serve/users/logins.test.ts",
    "an address that failed waits, twice as long each time, up to a bound, until it succeeds or time has passed",
  ],
  "commands/serve/users/login-delays.ts MAX_SOURCES": ["bounds.slow.test.ts", "keeps no more than its bound"],
  "tui/lists/filter.ts MAX_FILTER": [
    "tui/pieces.test.ts",
    "typing a filter takes letters that are keys elsewhere, and gives up at Escape",
  ],
  "tui/model.ts MAX_EVENTS": ["tui/pieces.test.ts", "events and throughput are bounded"],
  "tui/model.ts MAX_THROUGHPUT": ["tui/pieces.test.ts", "events and throughput are bounded"],
};

/** Of these no test is known to fail where the limit is another. None is added. */
const UNREACHED: ReadonlySet<string> = new Set([
  "analyze/flow/ageing.ts MOST_AT_ONCE",
  "commands/tui/tui-feed.ts MAX_NEW_PAIRS",
  "engine/live-capture.ts MAX_INTERVAL_MS",
  "report/text/text.ts MAX_TEXT",
  "analyze/app/application.ts MAX_HELD",
  "analyze/app/dns/dns-message.ts MAX_NAME_BYTES",
  "analyze/app/dns/dns-message.ts MAX_LABEL",
  "analyze/app/dns/dns-message.ts MAX_QUESTION",
  "analyze/app/dns/dns.ts MAX_ANSWER",
  "analyze/app/dns/dns.ts MAX_LOOKED",
  "analyze/app/dns/dns.ts MAX_IN_BUCKET",
  "analyze/app/exchanges.ts MAX_OPEN",
  "analyze/app/http/http.ts MAX_USUAL",
  "analyze/app/http/http.ts MAX_EMPTY",
  "analyze/app/http/http.ts MAX_SIZE_DIGITS",
  "analyze/app/http/plain-word.ts MAX_WORD",
  "analyze/app/http/plain-word.ts MAX_PART",
  "analyze/app/http/plain-word.ts MAX_PARTS",
  "analyze/app/http/plain-word.ts MAX_CAPITALS",
  "analyze/app/http/plain-word.ts MAX_HEX",
  "analyze/app/http/plain-word.ts MAX_WITH_DIGITS",
  "analyze/app/http/route.ts MAX_SEGMENTS",
  "analyze/app/http/route.ts MAX_EXTENSION",
  "analyze/app/operations.ts MAX_NAME",
  "analyze/app/operations.ts MAX_OUTCOMES",
  "analyze/app/postgres/postgres-looks.ts MAX_START",
  "analyze/app/postgres/postgres-looks.ts MAX_LENGTH",
  "analyze/app/postgres/postgres-looks.ts MAX_TOLD",
  "analyze/app/postgres/postgres-looks.ts MAX_CHAIN",
  "analyze/app/postgres/postgres-units.ts MAX_UNITS",
  "analyze/app/postgres/postgres-keywords.ts MAX_BETWEEN",
  "analyze/app/proxy.ts MAX_TEXT",
  "analyze/app/redis/redis.ts MAX_UNPROVEN",
  "analyze/app/redis/redis.ts MAX_KIND",
  "analyze/app/redis/resp.ts MAX_LENGTH",
  "analyze/app/redis/resp.ts MAX_SIMPLE",
  "analyze/app/redis/resp.ts MAX_TOLD",
  "analyze/app/starttls/starttls.ts MAX_SEEN",
  "analyze/app/stream.ts MAX_WAITING_BYTES",
  "analyze/app/stream.ts MAX_UNTRIED",
  "analyze/app/stream.ts MAX_BEGUN",
  "analyze/app/stream.ts MAX_WINDOW",
  "analyze/app/tls/tls.ts MAX_RECORD",
  "analyze/app/vocabulary.ts MAX_WORDS",
  "analyze/findings.ts MAX_FINDINGS",
  "analyze/findings/scans.ts MAX_CANDIDATES",
  "analyze/flow/headers.ts MAX_FRAME_LENGTH",
  "analyze/flow/labels.ts TEXTS_KEPT",
  "analyze/snapshot/build.ts CONNECTIONS_KEPT",
  "analyze/snapshot/read-snapshot.ts MAX_TABLES",
  "analyze/snapshot/read-snapshot.ts MAX_PROBLEM",
  "analyze/snapshot/read-snapshot.ts MAX_PLACE",
  "capture/conntrack/conntrack-text.ts MAX_LINE",
  "capture/conntrack/conntrack-text.ts MAX_UINT32",
  "capture/file/pcap.ts MAX_CAPLEN",
  "capture/file/pcap.ts MAX_CAPLEN_LARGE",
  "capture/file/pcapng-writer.ts MAX_NAME_BYTES",
  "capture/file/pcapng.ts MAX_BLOCK",
  "capture/file/pcapng.ts MAX_INTERFACES",
  "capture/file/pcapng.ts MAX_NAMES",
  "capture/file/pcapng.ts MAX_NAME_LENGTH",
  "capture/file/text.ts MOST_AT_ONCE",
  "capture/health/health-http.ts MAX_BODY",
  "capture/health/health-targets.ts MAX_TARGETS",
  "capture/health/health-tcp.ts MAX_ANSWER",
  "capture/health/health.ts MAX_REASON",
  "capture/kernel/messages.ts MAX_DESCRIPTORS",
  "capture/names/address-clock.ts MAX_LAG_CS",
  "capture/names/docker.ts MAX_CONTAINERS",
  "capture/names/docker.ts MAX_NETWORKS",
  "capture/names/docker.ts MAX_ADDRESSES",
  "capture/names/docker.ts MAX_NAME",
  "capture/names/docker.ts MAX_ID",
  "capture/names/names.ts MAX_NAME_LENGTH",
  "capture/names/namespace-names.ts MAX_NAMESPACES",
  "capture/names/namespace-names.ts MAX_PROCESSES",
  "capture/names/registry-names.ts MAX_TENANCIES",
  "capture/opener/opener-server.ts MAX_PATH",
  "capture/packet.ts MAX_TIME_US",
  "capture/packet.ts DAMAGES_KEPT",
  "capture/polled-source.ts MAX_BACKOFF_US",
  "cli.ts RAISE_LIMIT",
  "commands/analyze/last-snapshot.ts MAX_SNAPSHOT_BYTES",
  "commands/analyze/last-snapshot.ts MAX_PIPED_BYTES",
  "commands/analyze/last-snapshot.ts MAX_REST",
  "commands/analyze/last-snapshot.ts ROWS_KEPT",
  "commands/analyze/sidecar-reader.ts MAX_LINE",
  "commands/capture/capture-options.ts MAX_SNAPLEN",
  "commands/capture/capture-options.ts MAX_BUFFER_MB",
  "commands/capture/capture-options.ts MAX_INTERVAL_SECONDS",
  "commands/connections.ts MAX_TEXT_BYTES",
  "commands/lab-bench/docker-target.ts MAX_NAMED",
  "commands/lab-bench/lab-bench.ts MOST_REQUESTS",
  "commands/lab-bench/lab-bench.ts LONGEST_ROUND_SECONDS",
  "commands/lab-bench/observe.ts LONGEST_SECONDS",
  "commands/lab-bench/observe.ts MAX_HOPS",
  "commands/monitor-options.ts MAX_INTERVAL_SECONDS",
  "commands/monitor-options.ts MAX_SPEED",
  "commands/serve/users/basic-auth.ts MAX_WAITING",
  "commands/serve/users/basic-auth.ts MAX_OF_SOURCE",
  "commands/serve/users/basic-auth.ts MAX_PASSWORD_BYTES",
  "commands/serve/web/connections.ts MAX_CONNECTIONS",
  "commands/serve/web/connections.ts MAX_OF_SOURCE",
  "commands/serve/web/connections.ts MAX_UNREAD_BYTES",
  "commands/serve/web/connections.ts MAX_AHEAD",
  "commands/serve/metrics-options.ts MAX_SERIES",
  "commands/serve/web/small-file.ts MAX_BYTES",
  "commands/serve/served-run.ts MAX_JUDGED",
  "commands/serve/web/web-server.ts MAX_HEADER_BYTES",
  "commands/serve/web/web-server.ts MAX_HEADERS",
  "commands/tui/tui-monitor.ts MAX_MESSAGES",
  "commands/tui/tui-replay.ts MAX_STEPS",
  "engine/recording/event-writer.ts MAX_TEXT",
  "engine/recording/event-writer.ts MAX_FIELD",
  "engine/recording/recording.ts MAX_NAMES",
  "path-bytes.ts LONGEST_CHARACTER",
  "report/benchmark-rows.ts MAX_HOPS",
  "report/charts/charts-bars.ts MAX_PROTOCOLS",
  "report/charts/charts-bars.ts MAX_PAIRS",
  "report/charts/charts-bars.ts MAX_TALKERS",
  "report/charts/charts-quality.ts MAX_BARS",
  "report/charts/charts-throughput.ts MAX_MARKS",
  "view/map/map-graph.ts MAX_ROWS",
  "view/map/matrix.ts MAX_ROWS",
  "report/graph/topology-svg.ts MAX_NAME",
  "view/map/topology-tree.ts MAX_LINES",
  "report/metrics/capture.ts MAX_INTERFACES",
  "format.ts MAX_LABEL",
  "report/metrics/state.ts MAX_ROWS",
  "report/metrics/state.ts MAX_TARGETS",
  "report/pdf/page/safe-text.ts MAX_CHARACTERS",
  "report/pdf/sections/appendix.ts MAX_FILES",
  "report/pdf/sections/appendix.ts MAX_REASONS",
  "report/pdf/sections/map.ts MAX_NAME_WIDTH",
  "report/pdf/sections/map.ts MAX_HEIGHT",
  "report/pdf/sections/matrix.ts MAX_COLUMN",
  "report/pdf/sections/matrix.ts MAX_LABEL",
  "report/pdf/sections/matrix.ts MAX_SERVICES",
  "report/pdf/sections/summary.ts MAX_FILES",
  "report/pdf/page/table.ts MAX_SLACK",
  "tui/chrome/cells.ts MAX_MARKS",
  "tui/chrome/cells.ts MAX_WIDTHS",
  "tui/chrome/cells.ts MAX_TEXT",
  "tui/lists/overview.ts MAX_CHART",
]);

const LIMITS = /^(?:export )?const (MAX_\w+|\w+_KEPT|\w+_LIMIT|LONGEST_\w+|MOST_\w+) =/gm;

const source = fileURLToPath(new URL("../../src/", import.meta.url));
const read = (name: string) => readFileSync(join(source, name), "utf8");

test("every limit has a test that reaches it", () => {
  const limits = readdirSync(source, { recursive: true, encoding: "utf8" })
    .map((name) => name.split(sep).join("/"))
    .filter((name) => name.endsWith(".ts") && !/\.(test|fuzz|test\.fixture)\.ts$/.test(name))
    .flatMap((name) => [...read(name).matchAll(LIMITS)].map(([, limit]) => `${name} ${limit}`));
  const known = [...Object.keys(REACHED), ...UNREACHED];
  assert.deepEqual(
    limits.filter((limit) => !known.includes(limit)),
    [],
    "write a test that reaches it, and a row that names it",
  );
  assert.deepEqual(
    known.filter((limit) => !limits.includes(limit) || (UNREACHED.has(limit) && limit in REACHED)),
    [],
    "is no longer there, or has a test by now",
  );
  for (const [limit, [file, title]] of Object.entries(REACHED))
    assert.ok(read(file).includes(title), `${limit}: ${file} has no test of that title`);
});
