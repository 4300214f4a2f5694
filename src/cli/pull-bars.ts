/** A bar for each file that is fetched, on a terminal; nothing elsewhere. */
import { MultiBar, type SingleBar } from "cli-progress";
import { megabytes } from "./models-view.js";

const FORMAT = "{bar} {percentage}% of {size}  {eta_formatted} left  {path}";

export class PullBars {
  readonly #bars: MultiBar | undefined;
  readonly #files = new Map<string, SingleBar>();

  /** @param isShown false for `--json` */
  constructor(isShown: boolean) {
    const isTerminal = process.stderr.isTTY === true;
    this.#bars =
      isShown && isTerminal
        ? new MultiBar({ format: FORMAT, stream: process.stderr, clearOnComplete: true, hideCursor: true })
        : undefined;
  }

  readonly show = (path: string, receivedBytes: number, totalBytes: number): void => {
    if (this.#bars === undefined) return;
    const known = this.#files.get(path);
    if (known !== undefined) {
      known.update(receivedBytes);
      return;
    }
    this.#files.set(path, this.#bars.create(totalBytes, receivedBytes, { path, size: megabytes(totalBytes) }));
  };

  stop(): void {
    this.#bars?.stop();
  }
}
