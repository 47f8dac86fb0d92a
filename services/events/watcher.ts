/** The lab's process that reads the rules' counters, and its name in logs and events. */
export const WATCHER = "lab-watch";
