import { hostAddresses, type Plan } from "../topology.js";

/** The owners of links and addresses in the lab. */
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

  /** An address without an owner keeps its own text. */
  nameOf(address: string): string {
    return this.#byAddress.get(address) ?? address;
  }

  /** Packets on an instance's own link are the instance's, whatever their source address. */
  senderBehind(link: string, address: string): string {
    return this.#byLink.get(link) ?? this.nameOf(address);
  }
}
