/**
 * A histogram for Prometheus that is told of several durations in each request: one that was told costs an addition,
 * and what the format wants is put together when somebody asks. prom-client's own checks and hashes its labels each time.
 */
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client';

export interface DurationsOptions {
  name: string;
  help: string;
  labelNames: readonly string[];
  /** Upper bounds in seconds, ascending. */
  buckets: readonly number[];
  registry: Registry;
}

interface Child {
  labels: Record<string, string>;
  /** For each bucket and what is beyond all of them, not added up. */
  counts: number[];
  sum: number;
}

/** @returns what is to be told: a duration, and the value of each label. */
export function createDurations({ name, help, labelNames, buckets, registry }: DurationsOptions) {
  const children = new Map<string, Child>();

  function child(key: string, values: string[]): Child {
    const labels = Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? '']));
    const made = { labels, counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 };
    children.set(key, made);
    return made;
  }

  function values(): MetricValue<string>[] {
    return [...children.values()].flatMap(({ labels, counts, sum }) => {
      let count = 0;
      const lines: MetricValue<string>[] = counts.map((own, index) => {
        count += own;
        const le = index < buckets.length ? (buckets[index] as number) : '+Inf';
        return { value: count, labels: { le, ...labels }, metricName: `${name}_bucket` } as never;
      });
      const total = { value: count, labels, metricName: `${name}_count` } as never;
      return [...lines, { value: sum, labels, metricName: `${name}_sum` } as never, total];
    });
  }

  const metric = {
    name,
    labelNames: [...labelNames],
    async get(): Promise<Omit<MetricObjectWithValues<MetricValue<string>>, 'collect'>> {
      return { name, help, type: 'histogram' as never, values: values(), aggregator: 'sum' };
    },
    reset: () => children.clear(),
  };
  registry.registerMetric(metric as never);

  return (seconds: number, ...labelValues: string[]): void => {
    const key = labelValues.length === 1 ? (labelValues[0] as string) : labelValues.join('|');
    const told = children.get(key) ?? child(key, labelValues);
    let index = 0;
    while (index < buckets.length && seconds > (buckets[index] as number)) index += 1;
    (told.counts[index] as number) += 1;
    told.sum += seconds;
  };
}
