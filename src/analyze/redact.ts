/** Stand-ins for names that services learnt to each other and the capture gives away: HTTP's routes, TLS's server names. */
import type { ApplicationName } from "./app/application.js";
import { OTHER_OPERATION } from "./app/operations.js";

/** What stands for a name, by whose operations hold names from the wire; those of other protocols are words of closed lists. */
const NOUNS: Readonly<Partial<Record<ApplicationName, string>>> = {
  http: "route",
  tls: "name",
  http2: "name",
  grpc: "name",
};

/** Numbers names in the order they are given: the same operations in the same order get the same stand-ins. */
export class StandIns {
  readonly #numbers = new Map<string, number>();

  /** What is shown in place of an operation: `GET {route 3}`, `{name 1}`; the operation where it holds no name. */
  of(application: ApplicationName, operation: string): string {
    const noun = NOUNS[application];
    if (noun === undefined || operation === OTHER_OPERATION) return operation;
    const space = application === "http" ? operation.indexOf(" ") + 1 : 0;
    const key = `${application} ${operation.slice(space)}`;
    const number = this.#numbers.get(key) ?? this.#numbers.size + 1;
    this.#numbers.set(key, number);
    return `${operation.slice(0, space)}{${noun} ${number}}`;
  }
}
