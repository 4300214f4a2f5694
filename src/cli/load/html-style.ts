/** How the report looks, by day and by night. */
export const STYLE = `
:root { --ink: #1c2430; --dim: #5c6778; --paper: #fbfbf9; --card: #fff; --line: #dfe3e8; --bad: #b3261e; --good: #1b7f4b;
  --s1: #2563a8; --s2: #c2620e; --s3: #a02c62; --s4: #33814f; --wait: #c9ced6; --queue: #d9a441; --batch: #7aa6d8; --compute: #2563a8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --dim: #9aa5b4; --paper: #14181e; --card: #1b2129; --line: #333c48; --bad: #f2857d; --good: #6fcf97;
    --s1: #6ba8ea; --s2: #eda35c; --s3: #e283b1; --s4: #74c594; --wait: #465060; --queue: #c99a45; --batch: #45688f; --compute: #6ba8ea; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 25px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 36px 0 10px; }
p.sub, dt, .dim { color: var(--dim); } p.sub { margin: 0 0 14px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 14px 0; } dd { margin: 0; overflow-wrap: anywhere; }
.verdict { font-size: 18px; font-weight: 600; margin: 14px 0; } .bad { color: var(--bad); } .good { color: var(--good); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { padding: 6px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; } th:first-child, td:first-child { text-align: left; } tr:last-child td { border-bottom: 0; } th { color: var(--dim); font-weight: 600; }
td.why { white-space: normal; text-align: left; min-width: 180px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 16px; margin: 14px 0; }
svg { width: 100%; height: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px; display: block; }
svg.wide { margin: 12px 0; padding: 12px; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .title { font-weight: 600; font-size: 13px; }
svg .tick, svg .axis { fill: var(--dim); font-size: 11px; } svg.wide .tick { font-size: 13px; } svg.wide .title { font-size: 14px; }
svg .grid { stroke: var(--line); } svg .level { stroke: var(--bad); stroke-dasharray: 5 4; }
svg path { fill: none; stroke-width: 2; }
svg path.s1 { stroke: var(--s1); } svg path.s2 { stroke: var(--s2); } svg path.s3 { stroke: var(--s3); } svg path.s4 { stroke: var(--s4); }
svg circle.s1, svg rect.s1 { fill: var(--s1); } svg circle.s2, svg rect.s2 { fill: var(--s2); }
svg circle.s3, svg rect.s3 { fill: var(--s3); } svg circle.s4, svg rect.s4 { fill: var(--s4); }
.part-wait { fill: var(--wait); background: var(--wait); } .part-queue { fill: var(--queue); background: var(--queue); }
.part-batch { fill: var(--batch); background: var(--batch); } .part-compute { fill: var(--compute); background: var(--compute); }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--dim); font-size: 13px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; vertical-align: -1px; }
`;
