import { hostAddresses, type Plan } from "../topology.js";

/** Who has a link or an address in the lab. */
export class Places {
  readonly #byLink = new Map<string, string>();
  readonly #byAddress = new Map<string, string>();

  constructor(plan: Plan) {
    for (const address of [...hostAddresses(plan), "127.0.0.1"]) this.#byAddress.set(address, "host");
    for (const { name, link, address } of [...plan.instances, ...plan.outside]) {
      this.#byLink.set(link, name);
      this.#byAddress.set(address, name);
    }
  }

  /** An address that nobody has stands for itself. */
  nameOf(address: string): string {
    return this.#byAddress.get(address) ?? address;
  }

  /** Behind an instance's own link stands the instance, whatever address it writes. */
  senderBehind(link: string, address: string): string {
    return this.#byLink.get(link) ?? this.nameOf(address);
  }
}
