// SPDX-License-Identifier: Apache-2.0
// A chart over time (uPlot), in the colours of the page, as wide as its place.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "preact/hooks";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(title, lines, format, width, height, marks) {
  const axis = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: true, live: true },
    scales: { y: { range: (u, lo, hi) => [0, hi > 0 ? hi * 1.1 : 1] } },
    axes: [
      { ...axis, space: 70, values: (u, times) => times.map((t) => new Date(t * 1000).toLocaleTimeString([], { hour12: false })) },
      { ...axis, size: 62, values: (u, values) => values.map(format) },
    ],
    series: [
      { value: (u, t) => (t ? new Date(t * 1000).toLocaleTimeString([], { hour12: false }) : "-") },
      ...lines.map((line) => ({
        label: line.label,
        stroke: css(line.colour),
        width: 1.6,
        fill: line.fill ? css(line.fill) : undefined,
        spanGaps: false,
        points: { show: false },
        value: (u, v) => (v === null || v === undefined ? "-" : format(v)),
      })),
    ],
    hooks: {
      draw: [
        (u) => {
          for (const mark of marks || []) {
            const x = u.valToPos(mark.t, "x", true);
            if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
            u.ctx.save();
            u.ctx.strokeStyle = css("--accent");
            u.ctx.setLineDash([4, 3]);
            u.ctx.lineWidth = 1.5;
            u.ctx.beginPath();
            u.ctx.moveTo(x, u.bbox.top);
            u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
            u.ctx.stroke();
            u.ctx.restore();
          }
        },
      ],
    },
  };
}

export function Chart({ title, lines, times, values, format, height = 150, marks, theme }) {
  const place = useRef(null);
  const plot = useRef(null);
  const markKey = (marks || []).map((m) => m.t).join();
  useEffect(() => {
    const make = () => {
      if (plot.current) plot.current.destroy();
      const width = Math.max(200, place.current.clientWidth);
      plot.current = new uPlot(options(title, lines, format, width, height, marks), [times, ...values], place.current);
    };
    make();
    const watch = new ResizeObserver(() => {
      const width = Math.max(200, place.current.clientWidth);
      if (plot.current && Math.abs(plot.current.width - width) > 1) plot.current.setSize({ width, height });
    });
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [theme, markKey, lines.length]);
  useEffect(() => {
    if (plot.current) plot.current.setData([times, ...values]);
  });
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} class="plot" role="img" aria-label={title} />
    </figure>
  );
}
