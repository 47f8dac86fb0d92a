/** Builds the grid of each screen from the model. */
import type { Cell, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { formatClock } from "../../format.js";
import { endpoint, numberOf } from "../../view/cells.js";
import type { Glyphs } from "../chrome/glyphs.js";
import { type Model, pairKey } from "../model.js";
import type { ScreenName, State } from "../state.js";
import { columnsOf, type Grid, type GridColumn, insertAfter } from "./grid.js";
import { numericPairs, numericTalkers } from "./numeric.js";
import { applicationsGrid, pairLists, qualityGrid } from "./quality.js";
import { serviceGrid } from "./services.js";

const WAITING = "Nothing seen yet.";

const BAR: GridColumn = {
  name: "bar",
  title: "",
  kind: "bar",
  value: ({ share = null }) => share,
  style: () => "class0",
  wide: 1,
};

/** The grid of a screen; null: the screen is no list. */
export function gridOf(screen: ScreenName, model: Model, state: State, glyphs: Glyphs): Grid | null {
  switch (screen) {
    case "overview":
      return null;
    case "services":
      return serviceGrid(model, glyphs);
    case "pairs":
      return pairs(model, state.numeric);
    case "talkers":
      return talkers(model, state.numeric);
    case "protocols":
      return withBar(ofTable(model.snapshot?.tables.protocols ?? null, "Protocol"));
    case "conversations":
      return conversations(model, state.numeric);
    case "connections":
      return connections(model);
    case "topology":
      return topology(model, glyphs);
    case "events":
      return events(model);
    case "quality":
      return qualityGrid(model, state);
    case "applications":
      return applicationsGrid(model, state);
  }
}

/** A list of a table's main columns. */
function ofTable(table: Table | null, one: string, own?: Parameters<typeof columnsOf>[1]): Grid {
  const rows = table === null ? [] : [...table.rows];
  return {
    title: table?.title ?? one,
    one,
    columns: columnsOf(table, own),
    rows,
    all: rows.length,
    omitted: table?.omitted ?? 0,
    empty: WAITING,
    table,
  };
}

function withBar(grid: Grid): Grid {
  return { ...grid, columns: [...grid.columns, BAR] };
}

function pairs(model: Model, numeric: boolean): Grid {
  const { snapshot } = model;
  const rateOf = (row: Row): Cell =>
    model.rates === null
      ? null
      : (model.rates.get(pairKey(String(row.source), String(row.destination))) ?? null);
  const table = snapshot === null ? null : numeric ? numericPairs(snapshot) : snapshot.tables.pairs;
  const grid = withBar(ofTable(table, "Service pair"));
  const rate: GridColumn = { name: "rate", title: "Now", kind: "rate", value: rateOf, ifAny: true };
  const related = ({ source, destination }: Row) => pairLists(model, source, destination);
  return { ...grid, columns: insertAfter(grid.columns, "share", rate), related };
}

function talkers({ snapshot }: Model, numeric: boolean): Grid {
  const what = numeric ? "Address" : "Service";
  const table = snapshot === null ? null : numeric ? numericTalkers(snapshot) : snapshot.tables.talkers;
  return withBar(
    ofTable(table, what, {
      service: { title: what },
      packets: { title: "Packets sent" },
      bytes: { title: "Bytes sent" },
    }),
  );
}

function conversations(model: Model, numeric: boolean): Grid {
  const end = (side: "source" | "destination") => (row: Row) =>
    endpoint((numeric ? row[`${side}_address`] : null) ?? row[side], row[`${side}_port`]);
  const trackedAs = conntrackStates(model);
  const grid = ofTable(model.snapshot?.tables.conversations ?? null, "Conversation", {
    source: { value: end("source") },
    destination: { value: end("destination") },
    application: { ifAny: true },
    tcp_state: { ifAny: true, wide: 0 },
    verdict: { ifAny: true, wide: 0 },
    nat: { ifAny: true },
    duration: { wide: 1 },
  });
  const tracked: GridColumn = { name: "tracked", title: "Tracked as", kind: "text", ifAny: true, wide: 1 };
  const rows = grid.rows.map((row) => {
    const state = trackedAs(row);
    return state === null ? row : { ...row, tracked: state };
  });
  return { ...grid, columns: insertAfter(grid.columns, "tcp_state", tracked), rows };
}

/** A conversation's state in connection tracking; null: no entry between the same ends. */
function conntrackStates({ snapshot }: Model): (row: Row) => Cell {
  const keyOf = (row: Row) =>
    [row.transport, row.source, row.source_port, row.destination, row.destination_port].join("\0");
  const states = new Map<string, Cell>();
  for (const row of snapshot?.conntrack?.connections.rows ?? []) states.set(keyOf(row), row.state ?? null);
  return (row) => states.get(keyOf(row)) ?? null;
}

/** Tracked connections by service and state, captured or not. */
function connections({ snapshot, mode }: Model): Grid {
  const tracked = snapshot?.conntrack?.connections ?? null;
  const rows = tracked === null ? [] : byServiceAndState(tracked);
  const none = "Connection tracking was not looked at here.";
  return {
    title: "Tracked connections by service and state",
    one: "Tracked connections",
    columns: [
      { name: "transport", title: "Proto", kind: "text" },
      { name: "source", title: "Source", kind: "text" },
      {
        name: "destination",
        title: "Destination",
        kind: "text",
        value: (row) => endpoint(row.destination, row.port),
      },
      { name: "state", title: "State", kind: "text" },
      { name: "connections", title: "Connections", kind: "count" },
      { name: "bytes", title: "Bytes", kind: "bytes" },
    ],
    rows,
    all: rows.length,
    omitted: tracked?.omitted ?? 0,
    empty:
      tracked !== null ? "No connection is tracked." : mode === "live" ? `${none} 9 Events says why.` : none,
    table: null,
  };
}

function byServiceAndState(tracked: Table): Row[] {
  const sums = new Map<string, { row: Row; connections: number; bytes: number | null }>();
  for (const row of tracked.rows) {
    const {
      transport = null,
      source = null,
      destination = null,
      destination_port: port = null,
      state = null,
    } = row;
    if (state === null) continue;
    const key = [transport, source, destination, port, state].join("\0");
    const sum = sums.get(key) ?? {
      row: { transport, source, destination, port, state },
      connections: 0,
      bytes: null,
    };
    sum.connections++;
    const bytes = row.tracked_bytes ?? row.bytes ?? null;
    if (bytes !== null) sum.bytes = (sum.bytes ?? 0) + numberOf(bytes);
    sums.set(key, sum);
  }
  return [...sums.values()]
    .sort((a, b) => b.connections - a.connections)
    .map(({ row, connections: count, bytes }) => ({ ...row, connections: count, bytes }));
}

function topology({ tree, rates, snapshot }: Model, glyphs: Glyphs): Grid {
  const [through, branch, last] = glyphs.ascii ? ["|  ", "|- ", "`- "] : ["│  ", "├─ ", "└─ "];
  const rows = tree.map(({ name, more, edge, again }): Row => {
    const above = more.slice(0, -1).map((is) => (is ? through : "   "));
    const own = more.length === 0 ? "" : more.at(-1) ? branch : last;
    const now =
      edge && rates
        ? (rates.get(pairKey(edge.client, edge.server)) ?? 0) +
          (rates.get(pairKey(edge.server, edge.client)) ?? 0)
        : null;
    return {
      tree: `${above.join("")}${own}`,
      service: name,
      bytes: edge?.bytes ?? null,
      rate: now,
      note: again ? "see its other line" : "",
      client: edge?.client ?? null,
      server: edge?.server ?? null,
    };
  });
  return {
    title: "Who calls whom",
    one: "Who calls whom",
    columns: [
      { name: "service", title: "Service", kind: "text", value: (row) => `${row.tree}${row.service}` },
      { name: "bytes", title: "Bytes, both ways", kind: "bytes" },
      { name: "rate", title: "Now", kind: "rate", ifAny: true },
      { name: "note", title: "", kind: "text" },
    ],
    rows,
    all: rows.length,
    omitted: 0,
    empty: snapshot === null ? WAITING : "No two services talked to each other.",
    table: null,
  };
}

function events({ events: happened }: Model): Grid {
  const rows = happened.map((event): Row => ({ ...event }));
  const time = (row: Row) => (row.time === null ? null : formatClock(String(row.time)).slice(0, 8));
  return {
    title: "Events",
    one: "Event",
    columns: [
      { name: "time", title: "Time", kind: "text", value: time },
      {
        name: "kind",
        title: "Kind",
        kind: "text",
        style: ({ severity }) => (severity === "warning" ? "bad" : "plain"),
      },
      { name: "text", title: "What", kind: "text", sentence: true },
    ],
    rows,
    all: rows.length,
    omitted: 0,
    empty: "Nothing has happened yet: health changes, drops, new pairs and errors come here.",
    table: null,
  };
}
