/** Decides when a difference between two modes is significant. */
import {
  type BenchmarkMode,
  type BenchmarkRound,
  type Comparison,
  FIGURES,
  type Figure,
} from "./benchmark.js";
import { leastChance, rankSumChance, spreadOf } from "./statistics.js";

/** The chance of calling any of the figures different though nothing differs. Shared out evenly among them (Bonferroni). */
const CHANCE = 0.05;
const CHANCE_A_FIGURE = CHANCE / FIGURES.length;

/** The rule in words, for every output. */
export const RULE =
  `A difference counts when chance alone would order the rounds so at most once in ${1 / CHANCE_A_FIGURE} times (Mann-Whitney U, exact, two-sided; ` +
  `${CHANCE * 100} % shared among ${FIGURES.length} figures) and the medians lie farther apart than the rounds of either mode usually lie from their own median (MAD). ` +
  "Else it is within noise: no difference was shown, which is not to say that there is none.";

/** A figure of a round; null: unknown. */
function figureOf(round: BenchmarkRound, figure: Figure): number | null {
  return round[figure];
}

/** The figure in every round of the mode; null where a round does not know it. */
export function valuesOf(mode: Pick<BenchmarkMode, "rounds">, figure: Figure): number[] | null {
  const values = mode.rounds.map((round) => figureOf(round, figure));
  return values.includes(null) ? null : (values as number[]);
}

/** Compares `second` with `first` in every figure that both have. */
export function compareModes(
  first: Pick<BenchmarkMode, "rounds">,
  second: Pick<BenchmarkMode, "rounds">,
): Comparison[] {
  return FIGURES.flatMap((figure) => {
    const [a, b] = [valuesOf(first, figure), valuesOf(second, figure)];
    return a === null || b === null ? [] : [compareFigure(figure, a, b)];
  });
}

export function compareFigure(figure: Figure, a: readonly number[], b: readonly number[]): Comparison {
  const [first, second] = [spreadOf(a), spreadOf(b)];
  const p = rankSumChance(a, b);
  return {
    figure,
    ratio: first.median === 0 ? null : second.median / first.median,
    p,
    verdict: verdictOf(),
  };

  function verdictOf(): Comparison["verdict"] {
    if (leastChance(a.length, b.length) > CHANCE_A_FIGURE) return "too-few";
    const distance = second.median - first.median;
    if (p > CHANCE_A_FIGURE || Math.abs(distance) <= Math.max(first.mad, second.mad)) return "noise";
    return distance > 0 ? "higher" : "lower";
  }
}
