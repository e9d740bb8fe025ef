// SPDX-License-Identifier: Apache-2.0
// A state: its colour never stands alone, a shape says the same.
const shapes = { ok: "●", warning: "▲", failed: "✕", joining: "◌", none: "○" };

const kinds = {
  ok: "ok", optimal: "ok", online: "ok", good: "ok", running: "ok", primary: "ok", serving: "ok", info: "ok",
  secondary: "ok", free: "none", drained: "warning",
  degraded: "warning", warning: "warning", silent: "warning", rebuilding: "joining", resync: "joining",
  joining: "joining", claiming: "joining", fencing: "joining", adopting: "joining", clearing: "joining",
  reading: "joining", initialising: "joining", out: "warning", deposed: "warning", stopped: "warning", stale: "warning",
  bypassed: "warning", failed: "failed", critical: "failed", dead: "failed", offline: "failed", gone: "failed",
};

export const kindOf = (state) => kinds[String(state).toLowerCase()] || "none";

export function Mark({ state, text }) {
  const kind = kindOf(state);
  return (
    <span class={`mark ${kind}`}>
      <span class="shape" aria-hidden="true">{shapes[kind]}</span> {text === undefined ? state : text}
    </span>
  );
}
