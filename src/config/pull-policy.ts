/** What happens to a model of the catalogue that is not in the cache. */
export const PULL_POLICIES = ["never", "missing"] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];
