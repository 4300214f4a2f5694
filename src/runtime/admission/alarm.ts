/** On when a pressure has been 1 or more for a while, off when it has been well below for a while. Pure. */
export const ALARM_ON_MS = 2_000;
export const ALARM_OFF_MS = 3_000;
const CALM = 0.7;

export class Alarm {
  #isOn = false;
  /** Since when it has been time to change over. */
  #sinceMs: number | undefined;

  /** Notes the pressure at `nowMs`, which never goes back. Returns whether the alarm is on from now on. */
  update(pressure: number, nowMs: number): boolean {
    if (this.#isOn ? pressure >= CALM : pressure < 1) {
      this.#sinceMs = undefined;
      return this.#isOn;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < (this.#isOn ? ALARM_OFF_MS : ALARM_ON_MS)) return this.#isOn;
    this.#isOn = !this.#isOn;
    this.#sinceMs = undefined;
    return this.#isOn;
  }
}
