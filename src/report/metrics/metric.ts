/** A metric is one row: name, help, type, and how its samples are read. A page consists of rows and the values they read. */
import { type Metric as ClientMetric, Registry } from "prom-client";

export type Labels = Readonly<Record<string, string>>;

/** Cumulative counts up to each bound, in seconds. */
export interface HistogramCounts {
  readonly bounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly count: number;
  readonly sum: number;
}

/** A value and its labels; null: unknown, no sample. No two of a metric may have the same labels. */
export type Reading = readonly [value: number | HistogramCounts | null, labels?: Labels];

/** One metric of a page, read from a value. */
export interface Metric<From> {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly read: (from: From) => Iterable<Reading>;
}

/** The families of some metrics, read at this moment. */
export function readMetrics<From>(metrics: readonly Metric<From>[], from: From): Family[] {
  return metrics.map(({ type, name, help, read }) => {
    const family = new Family(type, name, help);
    for (const [value, labels = {}] of read(from))
      if (typeof value === "object" && value !== null) family.addHistogram(value, labels);
      else family.add(value, labels);
    return family;
  });
}

/** The items with unique labels (the first of equal ones), at most `most`. */
export function distinct<T>(things: Iterable<T>, labelOf: (thing: T) => string, most: number): T[] {
  const seen = new Map<string, T>();
  for (const thing of things) {
    if (seen.size >= most) break;
    const label = labelOf(thing);
    if (!seen.has(label)) seen.set(label, thing);
  }
  return [...seen.values()];
}

/** In prom-client's form. `sharedLabels`: labels of many samples, rendered once. */
interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
  readonly sharedLabels?: Labels;
}

/**
 * All samples of one name. Replaces prom-client's own counters: their key is a text in which the label
 * values `a,x:b` and `a`, `b` look the same, and names of services are untrusted.
 */
export class Family {
  name: string;
  readonly help: string;
  readonly type: Metric<never>["type"];
  readonly #samples: Sample[] = [];

  constructor(type: Metric<never>["type"], name: string, help: string) {
    this.type = type;
    this.name = name;
    this.help = help;
  }

  /** Adds a sample; null: unknown, adds none. No two may have the same labels. */
  add(value: number | null, labels: Labels = {}): this {
    if (value !== null && Number.isFinite(value)) this.#samples.push({ labels, value });
    return this;
  }

  /** Adds the samples of a histogram: one a bound, the one without, sum and count. */
  addHistogram({ bounds, counts, count, sum }: HistogramCounts, sharedLabels: Labels): this {
    const metricName = `${this.name}_bucket`;
    bounds.forEach((bound, i) => {
      this.#samples.push({ labels: { le: String(bound) }, value: counts[i]!, metricName, sharedLabels });
    });
    this.#samples.push({ labels: { le: "+Inf" }, value: count, metricName, sharedLabels });
    this.#samples.push({ labels: {}, value: sum, metricName: `${this.name}_sum`, sharedLabels });
    this.#samples.push({ labels: {}, value: count, metricName: `${this.name}_count`, sharedLabels });
    return this;
  }

  get size(): number {
    return this.#samples.length;
  }

  /** The interface that prom-client's registry needs. */
  async get(): Promise<unknown> {
    return { name: this.name, help: this.help, type: this.type, values: this.#samples };
  }
}

export type ExpositionFormat = "text" | "openmetrics";

export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** The page: families without a sample are left out. Each page has its own registry, so concurrent pages do not mix. */
export async function renderFamilies(families: readonly Family[], format: ExpositionFormat): Promise<string> {
  const registry = new Registry();
  if (format === "openmetrics") setOpenMetrics(registry);
  for (const family of families)
    if (family.size > 0) registry.registerMetric(family as unknown as ClientMetric<string>);
  return await registry.metrics();
}

/** prom-client's types tie the content type to the constructor's. */
function setOpenMetrics(registry: Registry): void {
  (registry as unknown as Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>).setContentType(
    Registry.OPENMETRICS_CONTENT_TYPE,
  );
}
