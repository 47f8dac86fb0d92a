/** The process of the lab that looks at the rules' counters, and its name in logs and events. */
export const WATCHER = "lab-watch";
