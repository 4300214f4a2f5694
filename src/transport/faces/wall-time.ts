/** The time of day in ISO 8601, UTC: for answers that have a field for it. Nothing is measured or decided by it. */
export function timeOfDay(): string {
  return new Date().toISOString();
}
