/**
 * Roughly the words that flite reads for a written word, to find it among the phones: "10:30" is "ten thirty", "$5"
 * "five dollars". Being wrong costs accuracy of that word's time only; flite itself reads the text by its own rules.
 */

const ONES = (
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
  "seventeen eighteen nineteen"
).split(" ");
const TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const ABBREVIATIONS: Readonly<Record<string, string>> = { dr: "doctor", mr: "mister", mrs: "missus", vs: "versus" };

const LETTER_NAMES =
  "ay bee see dee ee eff gee aitch eye jay kay ell em en oh pee cue ar ess tee you vee doubleyou eks why zee".split(
    " ",
  );

/** @param word lower case. Returned unchanged if it is read as it is written. */
export function readingOf(word: string): string {
  const known = ABBREVIATIONS[word.replace(/\W/g, "")];
  if (known !== undefined) return known;
  const bare = word.replace(/\W+$/, "");
  if (/^([a-z]\.)+[a-z]$/.test(bare) || /^[b-df-hj-np-tv-xz]{2,5}$/.test(bare)) return letterByLetter(bare);
  if (!/[\d%&@+$]/.test(word)) return word;
  const amount = word.startsWith("$") ? `${word.slice(1)} dollars` : word;
  return amount
    .replace(/%/g, " percent")
    .replace(/&/g, " and ")
    .replace(/@/g, " at ")
    .replace(/\+/g, " plus ")
    .replace(/(?<=\d),(?=\d{3})/g, "")
    .replace(/(?<=\d)\.(\d+)/g, (_, decimals: string) => ` point ${digitByDigit(decimals)}`)
    .replace(/:00\b/g, " ")
    .replace(/\d+/g, integer);
}

function integer(digits: string): string {
  const value = Number(digits);
  if (digits.length > 4 || (digits.length > 1 && digits.startsWith("0"))) return digitByDigit(digits);
  if (value < 20) return ONES[value]!;
  if (value < 100) return `${TENS[Math.floor(value / 10)]!} ${value % 10 === 0 ? "" : ONES[value % 10]!}`;
  if (value < 1000)
    return `${ONES[Math.floor(value / 100)]!} hundred ${value % 100 === 0 ? "" : integer(String(value % 100))}`;
  // Years, as most numbers of four digits are read.
  if (value % 1000 === 0) return `${integer(String(value / 1000))} thousand`;
  return `${integer(digits.slice(0, 2))} ${integer(String(value % 100))}`;
}

function digitByDigit(digits: string): string {
  return [...digits].map((digit) => ONES[Number(digit)]!).join(" ");
}

function letterByLetter(word: string): string {
  return word.replace(/[a-z]/g, (letter) => `${LETTER_NAMES[letter.charCodeAt(0) - 97]!} `);
}
