/** Numbers as American English reads them aloud. All functions take digits as written and give lower-case words. */
import { toCardinal, toOrdinal } from "n2words/en-US";

/** Longer runs of digits are numbers of something, not amounts, and are read digit by digit. */
const CARDINAL_DIGITS_MAX = 15;
/** Without separators, as in an account or an order: read digit by digit from here on. */
const BARE_DIGITS_MAX = 6;

/** Digits, with or without thousands separators and decimals: "1,250", "3.14", "007", "1999". */
export function numberWords(written: string): string {
  const hasSeparators = written.includes(",");
  const [whole = "", decimals] = written.replaceAll(",", "").split(".");
  const tail = decimals === undefined ? "" : ` point ${digitWords(decimals)}`;
  if (whole === "") return `zero${tail}`;
  const isPlain = hasSeparators || whole.length <= BARE_DIGITS_MAX;
  if (!isPlain || whole.length > CARDINAL_DIGITS_MAX || /^0\d/.test(whole)) return digitWords(whole) + tail;
  if (!hasSeparators && decimals === undefined && /^(?:1[1-9]|20)\d\d$/.test(whole)) return yearWords(whole);
  return cardinal(whole) + tail;
}

/** "21" is "twenty first". */
export function ordinalWords(digits: string): string {
  return /^0*$/.test(digits) || digits.length > CARDINAL_DIGITS_MAX ? numberWords(digits) : plain(toOrdinal(digits));
}

/** "2024" is "twenty twenty four", "1905" "nineteen oh five", "2005" "two thousand five". Four digits. */
export function yearWords(digits: string): string {
  const [century, rest] = [digits.slice(0, 2), digits.slice(2)];
  if (rest === "00") return century.endsWith("0") ? cardinal(digits) : `${cardinal(century)} hundred`;
  if (century.endsWith("0") && rest.startsWith("0")) return cardinal(digits);
  return `${cardinal(century)} ${rest.startsWith("0") ? `oh ${digitWords(rest.slice(1))}` : cardinal(rest)}`;
}

/** "1990s" is "nineteen nineties". */
export function decadeWords(digits: string): string {
  return (digits.length === 4 ? yearWords(digits) : cardinal(digits)).replace(/y$/, "ie").replace(/$/, "s");
}

/** Digit by digit. */
export function digitWords(digits: string): string {
  return [...digits].map((digit) => cardinal(digit)).join(" ");
}

/** "10", "05" is "ten oh five"; "00" is said as "o'clock" where nothing else tells that it is a time. */
export function timeWords(hours: string, minutes: string, isMarked: boolean): string {
  const hour = cardinal(String(Number(hours)));
  if (minutes === "00") return isMarked ? hour : `${hour} o'clock`;
  return `${hour} ${minutes.startsWith("0") ? `oh ${cardinal(minutes.slice(1))}` : cardinal(minutes)}`;
}

/** The unit, one and several of it, and its hundredth. */
const CURRENCIES: Readonly<Record<string, readonly [string, string, string, string]>> = {
  $: ["dollar", "dollars", "cent", "cents"],
  "€": ["euro", "euros", "cent", "cents"],
  "£": ["pound", "pounds", "penny", "pence"],
  "¥": ["yen", "yen", "", ""],
};

/** "$", "3.50" is "three dollars and fifty cents". Undefined for a symbol that is no currency. */
export function moneyWords(symbol: string, amount: string): string | undefined {
  const currency = CURRENCIES[symbol];
  if (currency === undefined) return undefined;
  const [one, many, hundredth, hundredths] = currency;
  const [whole = "0", decimals] = amount.replaceAll(",", "").split(".");
  const isPlain = decimals === undefined || decimals.length !== 2 || hundredth === "";
  if (isPlain) return `${amountWords(amount)} ${amount === "1" ? one : many}`;
  const units = Number(whole) === 0 ? "" : `${amountWords(whole)} ${whole === "1" ? one : many}`;
  const small =
    decimals === "00" ? "" : `${cardinal(String(Number(decimals)))} ${decimals === "01" ? hundredth : hundredths}`;
  return [units, small].filter((part) => part !== "").join(" and ") || `zero ${many}`;
}

/** The name of a currency's plural: "$5 million" is "five million dollars". */
export function currencyPlural(symbol: string): string | undefined {
  return CURRENCIES[symbol]?.[1];
}

/** Never a year: an amount of something. */
export function amountWords(written: string): string {
  const [whole = "", decimals] = written.replaceAll(",", "").split(".");
  if (whole.length > CARDINAL_DIGITS_MAX) return digitWords(whole);
  const tail = decimals === undefined ? "" : ` point ${digitWords(decimals)}`;
  return cardinal(whole === "" ? "0" : whole) + tail;
}

function cardinal(digits: string): string {
  return plain(toCardinal(digits));
}

function plain(words: string): string {
  return words.replaceAll("-", " ");
}
