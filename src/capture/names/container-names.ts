/** Names of containers by id: the namespaces of a container keep its name when its engine falls silent or lists it no longer. */
import { type ContainerName, MAX_CONTAINERS } from "./docker.js";

/** Bounded: beyond `limit` the ids that no engine has listed for longest are forgotten. */
export class ContainerNames {
  /** Ids forgotten for want of room. */
  forgotten = 0;
  readonly #limit: number;
  /** In the order they were last listed. */
  readonly #names = new Map<string, string>();

  /** By default room for two full engines. */
  constructor(limit = 2 * MAX_CONTAINERS) {
    this.#limit = limit;
  }

  /** Takes up what an engine lists. */
  observe(containers: readonly Pick<ContainerName, "id" | "name">[]): void {
    for (const { id, name } of containers) {
      if (id === "") continue;
      this.#names.delete(id);
      this.#names.set(id, name);
    }
    for (const id of this.#names.keys()) {
      if (this.#names.size <= this.#limit) break;
      this.#names.delete(id);
      this.forgotten++;
    }
  }

  find(id: string | null): string | null {
    return id === null ? null : (this.#names.get(id) ?? null);
  }

  get size(): number {
    return this.#names.size;
  }
}
