/** Stand-ins for names in packets: HTTP routes, TLS server names. */
import type { Application } from "./app/application.js";
import { OTHER_OPERATION } from "./app/operations.js";

/** Numbers names in the order they are given: the same operations in the same order get the same stand-ins. */
export class StandIns {
  readonly #numbers = new Map<string, number>();

  /** What is shown in place of an operation: `GET {route 3}`, `{name 1}`; the operation where it holds no name. */
  of({ name, requests }: Application, operation: string): string {
    const redact = requests?.redact;
    if (redact === undefined || operation === OTHER_OPERATION) return operation;
    const at = redact.nameAt?.(operation) ?? 0;
    const key = `${name} ${operation.slice(at)}`;
    const number = this.#numbers.get(key) ?? this.#numbers.size + 1;
    this.#numbers.set(key, number);
    return `${operation.slice(0, at)}{${redact.noun} ${number}}`;
  }
}
