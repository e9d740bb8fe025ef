// SPDX-License-Identifier: Apache-2.0
// The phases of one takeover as a waterfall in milliseconds.
import { ms } from "../words.js";

const about = {
  suspect: "silence, a closed connection, or a person: the primary is given up",
  stop: "no READY any more in the old epoch",
  claim: "the control register names the new primary",
  fence: "the old one's ports of the drive tray bank are disabled",
  adopt: "what its queue holds is taken over",
  serve: "interface switches send to the new primary",
};

// Each phase lasts from the one before it.
export function phasesOf(takeover) {
  let before = 0;
  return takeover.phases.map((p) => {
    const bar = { name: p.phase, from: before, to: p.ms };
    before = p.ms;
    return bar;
  });
}

export function Timeline({ takeover }) {
  const bars = phasesOf(takeover);
  const end = Math.max(0.1, takeover.duration_ms, ...bars.map((b) => b.to));
  const row = 30;
  const left = 84;
  const width = 640;
  const x = (t) => left + (t / end) * (width - left - 90);
  const height = bars.length * row + 26;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((f) => f * end);
  return (
    <svg class="timeline" viewBox={`0 0 ${width} ${height}`} role="img"
      aria-label={`takeover of ${takeover.group} by ${takeover.unit} in ${ms(takeover.duration_ms)}`}>
      {ticks.map((t) => (
        <g key={t}>
          <line x1={x(t)} x2={x(t)} y1="4" y2={height - 20} class="grid" />
          <text x={x(t)} y={height - 6} text-anchor="middle" class="tick">{ms(t)}</text>
        </g>
      ))}
      {bars.map((b, i) => (
        <g key={b.name + i} class="bar">
          <title>{`${b.name}: ${about[b.name] || ""}`}</title>
          <text x={left - 10} y={i * row + 23} text-anchor="end">{b.name}</text>
          <rect x={x(b.from)} y={i * row + 10} height="16" rx="4" width={Math.max(3, x(b.to) - x(b.from))} class={`phase p${i % 6}`} />
          <text x={Math.max(x(b.from) + 3, x(b.to)) + 8} y={i * row + 23} class="value">{ms(b.to)}</text>
        </g>
      ))}
    </svg>
  );
}

// How long all takeovers took, in classes of doubling width.
export function Histogram({ takeovers }) {
  const limits = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, Infinity];
  const counts = limits.map((hi, i) =>
    takeovers.filter((t) => t.duration_ms <= hi && (i === 0 || t.duration_ms > limits[i - 1])).length);
  const most = Math.max(1, ...counts);
  return (
    <div class="histogram" role="img" aria-label="how long takeovers took">
      {limits.map((hi, i) => (
        <div key={hi} class="column" title={`${counts[i]} takeovers`}>
          <span class="n">{counts[i] || ""}</span>
          <span class="bar" style={{ height: `${(counts[i] / most) * 70}px` }} />
          <span class="tick">{hi === Infinity ? "> 1 s" : `${hi} ms`}</span>
        </div>
      ))}
    </div>
  );
}
