/** Names of containers by id: a container's namespaces keep its name when its engine stops answering or no longer lists it. */
import { type ContainerName, MAX_CONTAINERS } from "./docker.js";

/** Bounded: beyond `limit` the ids listed longest ago are forgotten. */
export class ContainerNames {
  /** Ids forgotten because the limit was reached. */
  forgotten = 0;
  readonly #limit: number;
  /** In the order they were last listed. */
  readonly #names = new Map<string, string>();

  /** By default room for two full engines. */
  constructor(limit = 2 * MAX_CONTAINERS) {
    this.#limit = limit;
  }

  /** Adds the containers that an engine lists. */
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
