/** What polls cost and how often they fail. */

interface PollTime {
  count: number;
  seconds: number;
  failures: number;
}

export class PollTimes {
  readonly times: ReadonlyMap<string, PollTime>;

  constructor(names: readonly string[]) {
    this.times = new Map(names.map((name) => [name, { count: 0, seconds: 0, failures: 0 }]));
  }

  note(name: string, ms: number, failed: boolean): void {
    const time = this.times.get(name)!;
    time.count++;
    time.seconds += ms / 1000;
    if (failed) time.failures++;
  }
}
