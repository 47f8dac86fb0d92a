/** What interfaces counted and was not taken in, while a capture runs. */
import type { LedgerInterface } from "../../analyze/snapshot/snapshot.js";

/** Looks that a loss must outlast: packets on their way are not lost, and are taken in by the next look. */
const LOOKS = 5;

export class Residuals {
  /** Of each interface the residual of the last looks. */
  readonly #looks: NonNullable<LedgerInterface["residual"]>[][] = [];

  /** Takes up a ledger made right after the interfaces' counters were noted. */
  note(ledger: readonly LedgerInterface[]): void {
    ledger.forEach(({ residual }, i) => {
      this.#looks[i] ??= [];
      const looks = this.#looks[i]!;
      if (residual === null) looks.length = 0;
      else if (looks.push(residual) > LOOKS) looks.shift();
    });
  }

  /** The ledger with the least residual of the last looks; null where there have been none. */
  apply(ledger: readonly LedgerInterface[]): LedgerInterface[] {
    return ledger.map((of, i) => {
      const looks = this.#looks[i] ?? [];
      if (looks.length === 0) return { ...of, counted: null, residual: null };
      return {
        ...of,
        residual: looks.reduce((least, look) => (look.packets < least.packets ? look : least)),
      };
    });
  }
}
