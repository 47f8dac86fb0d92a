/** The protocols that are recognised, in the order they are asked. */
import type { Application } from "./application.js";

export const KNOWN_APPLICATIONS: readonly Application[] = [];
