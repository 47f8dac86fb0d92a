/** The sections of a report, in order. Small: the command line loads it at every start. */
export const SECTIONS = [
  "summary",
  "map",
  "throughput",
  "pairs",
  "protocols",
  "talkers",
  "tcp",
  "applications",
  "conversations",
  "endpoints",
  "appendix",
] as const;
export type Section = (typeof SECTIONS)[number];
