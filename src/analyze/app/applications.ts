/** The protocols that are recognised, in the order they are asked. */
import type { Application } from "./application.js";
import { HTTP } from "./http.js";

export const KNOWN_APPLICATIONS: readonly Application[] = [HTTP];
