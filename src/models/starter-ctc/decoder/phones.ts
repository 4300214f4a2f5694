/**
 * The starter recogniser's label set: index 0 is the CTC blank, 1 to 40 are the phones of CMUdict 0.4 in alphabetical
 * order. ARPAbet without stress; `ax` is the unstressed AH.
 */
export const PHONES: readonly string[] =
  "aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh".split(" ");

export const BLANK = 0;
/** Columns of one slot's row of log-probabilities. */
export const LABEL_COUNT = PHONES.length + 1;

const INDEX: ReadonlyMap<string, number> = new Map(PHONES.map((phone, at) => [phone, at + 1]));

/** Space-separated phone names (`"hh ax l ow"`) to label indices. Unknown names are left out. */
export function phoneLabels(names: string): number[] {
  const labels: number[] = [];
  for (const name of names.split(" ")) {
    const label = INDEX.get(name);
    if (label !== undefined) labels.push(label);
  }
  return labels;
}

/** ARPAbet with stress digits (`"HH AH0 L OW1"`), as the npm dictionary writes it, to label indices. */
export function arpabetLabels(arpabet: string): number[] {
  return phoneLabels(
    arpabet
      .split(" ")
      .map((symbol) => (symbol === "AH0" ? "ax" : symbol.toLowerCase().replace(/\d/, "")))
      .join(" "),
  );
}
