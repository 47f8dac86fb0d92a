/** The shells whose command line is completed. Light: loaded at every start. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];
