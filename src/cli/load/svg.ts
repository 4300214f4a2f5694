/** Plots as SVG text: axes, lines, points, and a turn's waterfall. Pure; colours are classes that the page gives. */
import type { ReceiptEvent } from "../../frames/events.js";
import { sumMs } from "../waterfall.js";

export interface Series {
  readonly name: string;
  /** Of class `sN`: the page's Nth colour. */
  readonly colour: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly as: "line" | "points";
}

export interface ChartSpec {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Levels to compare with: a dashed line each. */
  readonly levels?: readonly { readonly name: string; readonly y: number }[];
  /** Default: from 0 on. */
  readonly yFrom?: "zero" | "data";
}

const WIDTH = 480;
const HEIGHT = 260;
const LEFT = 56;
const RIGHT = 12;
const TOP = 34;
const BOTTOM = 58;
/** About so many marks on an axis. */
const TICKS = 5;
/** More points than this are drawn as every nth: the eye sees no difference, and the file stays small. */
const POINTS_MAX = 1_500;

export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Round marks that span the values. */
export function ticksOf(low: number, high: number): number[] {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const raw = span / TICKS;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw)!;
  const from = Math.floor(low / step);
  const to = Math.ceil((high > low ? high : low + span) / step);
  return Array.from({ length: to - from + 1 }, (_, index) => Number(((from + index) * step).toPrecision(12)));
}

/** A chart with its legend, or nothing if no series has a point. */
export function chart(spec: ChartSpec): string {
  const series = spec.series.filter(({ points }) => points.length > 0).map(thinned);
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return "";
  const ys = [...all.map(([, y]) => y), ...(spec.levels ?? []).map(({ y }) => y)];
  const xTicks = ticksOf(least(all.map(([x]) => x)), most(all.map(([x]) => x)));
  const yTicks = ticksOf(spec.yFrom === "data" ? least(ys) : Math.min(0, least(ys)), most(ys));
  const x = scale(xTicks, LEFT, WIDTH - RIGHT);
  const y = scale(yTicks, HEIGHT - BOTTOM, TOP);
  const grid = yTicks.map((tick) => {
    const at = y(tick).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text class="tick" x="${LEFT - 6}" y="${at}" dy=".32em" text-anchor="end">${label(tick)}</text>`;
  });
  const marks = xTicks.map(
    (tick) =>
      `<text class="tick" x="${x(tick).toFixed(1)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${label(tick)}</text>`,
  );
  const levels = (spec.levels ?? []).map(({ y: level }) => {
    const at = y(level).toFixed(1);
    return `<line class="level" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`;
  });
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(spec.title)}">`,
    `<text class="title" x="${LEFT}" y="16">${escapeText(spec.title)}</text>`,
    ...grid,
    ...marks,
    ...levels,
    ...series.map((one) => drawn(one, x, y)),
    `<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - BOTTOM + 31}" text-anchor="middle">${escapeText(spec.xLabel)}</text>`,
    `<text class="axis" x="12" y="${(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 12 ${(TOP + HEIGHT - BOTTOM) / 2})">${escapeText(spec.yLabel)}</text>`,
    legend(series, spec.levels ?? []),
    "</svg>",
  ].join("");
}

function thinned(series: Series): Series {
  const every = Math.ceil(series.points.length / POINTS_MAX);
  return every <= 1 ? series : { ...series, points: series.points.filter((_, index) => index % every === 0) };
}

type Scale = (value: number) => number;

function scale(ticks: readonly number[], from: number, to: number): Scale {
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

function drawn({ points, colour, as }: Series, x: Scale, y: Scale): string {
  const places = points.map(([px, py]) => [x(px).toFixed(1), y(py).toFixed(1)] as const);
  const radius = points.length > 40 ? 1.6 : 3;
  const dots = places.map(([cx, cy]) => `<circle class="s${colour}" cx="${cx}" cy="${cy}" r="${radius}"/>`).join("");
  if (as === "points") return dots;
  const path = `<path class="s${colour}" d="M${places.map(([px, py]) => `${px} ${py}`).join("L")}"/>`;
  return points.length > 40 ? path : path + dots;
}

function legend(series: readonly Series[], levels: readonly { readonly name: string }[]): string {
  let x = LEFT;
  const entries = [
    ...series.map(({ name, colour }) => ({ name, mark: `<rect class="s${colour}" width="10" height="10" rx="2"/>` })),
    ...levels.map(({ name }) => ({ name, mark: '<line class="level" x1="0" x2="10" y1="5" y2="5"/>' })),
  ];
  return entries
    .map(({ name, mark }) => {
      const entry = `<g transform="translate(${x} ${HEIGHT - 14})">${mark}<text class="tick" x="14" y="9">${escapeText(name)}</text></g>`;
      x += 26 + 6.4 * name.length;
      return entry;
    })
    .join("");
}

const BAR_WIDTH = 980;
const NAME_WIDTH = 110;
const DETAIL_WIDTH = 250;
const ROW_HEIGHT = 26;
const HEAD_HEIGHT = 28;

/** Waiting that takes more than half of a turn gets this share of its bar, so that the rest can be seen. */
const WAIT_SHARE = 0.12;

/** Stages of one turn one below the other, each where it lies in time; its four parts in their colours. */
export function waterfall(title: string, receipt: ReceiptEvent): string {
  const { stages, totalMs } = receipt;
  const width = BAR_WIDTH - NAME_WIDTH - DETAIL_WIDTH;
  const waitMs = stages.reduce((sum, stage) => sum + stage.waitMs, 0);
  const isCut = waitMs > totalMs / 2 && totalMs > waitMs;
  const perMs = isCut ? ((1 - WAIT_SHARE) * width) / (totalMs - waitMs) : width / Math.max(1, totalMs);
  const perWaitMs = isCut ? (WAIT_SHARE * width) / waitMs : perMs;
  let x = NAME_WIDTH;
  const rows = stages.map((stage, index) => {
    const y = HEAD_HEIGHT + index * ROW_HEIGHT;
    const parts = PARTS.map(({ key, className }) => {
      const length = Math.max(0, stage[key] * (key === "waitMs" ? perWaitMs : perMs));
      const bar = `<rect class="${className}" x="${x.toFixed(1)}" y="${y + 4}" width="${length.toFixed(1)}" height="16"/>`;
      x += length;
      return stage[key] > 0 ? bar : "";
    });
    const detail = [
      `${sumMs(stage).toFixed(1)} ms`,
      ...(stage.batchSize > 1 ? [`batch of ${stage.batchSize}`] : []),
      ...(isCut && stage.waitMs > 0 ? ["not to scale"] : []),
    ];
    return [
      `<text class="tick" x="0" y="${y + 16}">${escapeText(stage.stage)}</text>`,
      ...parts,
      `<text class="tick" x="${BAR_WIDTH - DETAIL_WIDTH + 10}" y="${y + 16}">${detail.join(", ")}</text>`,
    ].join("");
  });
  const height = HEAD_HEIGHT + stages.length * ROW_HEIGHT;
  const head = `<text class="title" x="0" y="16">${escapeText(`${title}: ${totalMs.toFixed(1)} ms from the end of speech to the first audio`)}</text>`;
  return `<svg class="wide" viewBox="0 0 ${BAR_WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">${head}${rows.join("")}</svg>`;
}

export const PARTS = [
  { key: "waitMs", className: "part-wait", name: "waiting by design" },
  { key: "queueMs", className: "part-queue", name: "in a ring" },
  { key: "batchWaitMs", className: "part-batch", name: "waiting for its batch" },
  { key: "computeMs", className: "part-compute", name: "computing" },
] as const;

function label(value: number): string {
  return Math.abs(value) >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : String(value);
}

/** Not by spreading into Math.min: a soak has more points than a call may have arguments. */
function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
}

function most(values: readonly number[]): number {
  return values.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY);
}
