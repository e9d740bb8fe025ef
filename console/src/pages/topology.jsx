// SPDX-License-Identifier: Apache-2.0
// Hosts, interface switches, modules with their units, trays: what is linked with what, and who leads which group.
import { Mark } from "../parts/mark.jsx";
import { Card, Table } from "../parts/table.jsx";

const COLUMN = [90, 330, 600, 880];
const WIDTH = 980;

const middle = (i, n, height) => ((i + 0.5) * height) / n;

function hostsOf(status) {
  const found = new Map();
  for (const sw of status.switches)
    for (const session of sw.sessions) {
      const name = session.host || session.initiator || "?";
      if (!found.has(name)) found.set(name, { name, paths: [] });
      found.get(name).paths.push(sw.name);
    }
  return [...found.values()];
}

function modulesOf(status) {
  const modules = new Map();
  for (const u of status.units) {
    const name = u.module || u.name.replace(/\d+$/, "");
    if (!modules.has(name)) modules.set(name, []);
    modules.get(name).push(u);
  }
  for (const u of status.units_missing || []) {
    const name = u.name.replace(/\d+$/, "");
    if (!modules.has(name)) modules.set(name, []);
    if (!modules.get(name).some((x) => x.name === u.name)) modules.get(name).push({ ...u, state: "dead" });
  }
  return [...modules.entries()].sort().map(([name, units]) => ({ name, units: units.sort((a, b) => (a.name < b.name ? -1 : 1)) }));
}

function Box({ x, y, width, height, kind, children }) {
  return (
    <g class={`box ${kind || ""}`} transform={`translate(${x} ${y})`}>
      <rect x={-width / 2} y={-height / 2} width={width} height={height} rx="9" />
      {children}
    </g>
  );
}

function Line({ from, to, kind }) {
  const bend = (to[0] - from[0]) / 2;
  return <path class={`link ${kind}`} d={`M${from[0]} ${from[1]} C${from[0] + bend} ${from[1]} ${to[0] - bend} ${to[1]} ${to[0]} ${to[1]}`} />;
}

export function Topology({ state }) {
  const s = state.status;
  const hosts = hostsOf(s);
  const modules = modulesOf(s);
  const rows = Math.max(2, hosts.length, s.switches.length, modules.length, s.loops.length);
  const height = Math.max(300, rows * 130);
  const silent = new Set(s.processes.filter((p) => p.state !== "running").map((p) => p.name));
  const kind = (process) => (silent.has(process) ? "failed" : "ok");
  const yHost = (i) => middle(i, Math.max(1, hosts.length), height);
  const ySwitch = (i) => middle(i, Math.max(1, s.switches.length), height);
  const yModule = (i) => middle(i, Math.max(1, modules.length), height);
  const yLoop = (i) => middle(i, Math.max(1, s.loops.length), height);
  const unitPlace = (unit) => {
    for (let m = 0; m < modules.length; m++) {
      const u = modules[m].units.findIndex((x) => x.name === unit);
      if (u >= 0) return [COLUMN[2], yModule(m) - 12 + u * 30];
    }
    return null;
  };
  return (
    <>
      <Card title="Who is linked with whom" wide>
        <div class="scroll">
          <svg class="topology" viewBox={`0 0 ${WIDTH} ${height + 10}`} role="img" aria-label="the array; the table below says the same">
            {hosts.map((h, i) => h.paths.map((p, k) => (
              <Line key={h.name + p + k} kind="ok" from={[COLUMN[0] + 72, yHost(i)]} to={[COLUMN[1] - 62, ySwitch(s.switches.findIndex((w) => w.name === p))]} />
            )))}
            {s.switches.map((sw, i) => modules.map((m, k) => (
              <Line key={sw.name + m.name} from={[COLUMN[1] + 62, ySwitch(i)]} to={[COLUMN[2] - 84, yModule(k)]}
                kind={m.units.every((u) => u.state === "dead") || !(sw.groups || []).some((g) => (g.linked || []).some((l) => l.startsWith(m.name))) ? "failed" : "ok"} />
            )))}
            {modules.map((m, k) => s.loops.map((l, i) => (
              <Line key={m.name + l.name} from={[COLUMN[2] + 84, yModule(k)]} to={[COLUMN[3] - 82, yLoop(i)]}
                kind={m.units.every((u) => u.state === "dead") ? "failed"
                  : (l.banks || []).some((b) => (b.allowed || []).some((a) => a.startsWith(m.name))) ? "ok" : "warning"} />
            )))}
            {hosts.map((h, i) => (
              <Box key={h.name} x={COLUMN[0]} y={yHost(i)} width={144} height={46}>
                <text y="-2" text-anchor="middle">{h.name.length > 20 ? `…${h.name.slice(-18)}` : h.name}</text>
                <text y="14" text-anchor="middle" class="small">{h.paths.length} {h.paths.length === 1 ? "path" : "paths"}</text>
                <title>{h.name}</title>
              </Box>
            ))}
            {!hosts.length && <text x={COLUMN[0]} y={height / 2} text-anchor="middle" class="small">no host is logged in</text>}
            {s.switches.map((sw, i) => (
              <Box key={sw.name} x={COLUMN[1]} y={ySwitch(i)} width={124} height={58} kind={kind(sw.process)}>
                <text y="-8" text-anchor="middle" class="strong">{sw.name}</text>
                <text y="8" text-anchor="middle" class="small">{(sw.portals || [])[0]}</text>
                <text y="22" text-anchor="middle" class="small">{sw.drained ? "drained" : `${sw.sessions.length} sessions`}</text>
              </Box>
            ))}
            {modules.map((m, k) => (
              <Box key={m.name} x={COLUMN[2]} y={yModule(k)} width={168} height={36 + m.units.length * 30} kind={m.units.every((u) => u.state === "dead") ? "failed" : "ok"}>
                <text y={-m.units.length * 15 - 2} text-anchor="middle" class="strong">module {m.name}</text>
                {m.units.map((u, i) => (
                  <g key={u.name} transform={`translate(0 ${i * 30 - m.units.length * 15 + 22})`}>
                    <rect x="-72" y="-13" width="144" height="26" rx="6" class={`unit ${u.state}`} />
                    <text x="-62" y="5">{u.name}</text>
                    <text x="62" y="5" text-anchor="end" class="small">{u.state === "primary" ? "" : u.state}</text>
                  </g>
                ))}
              </Box>
            ))}
            {s.loops.map((l, i) => (
              <Box key={l.name} x={COLUMN[3]} y={yLoop(i)} width={164} height={74} kind={kind(l.process)}>
                <text y="-18" text-anchor="middle" class="strong">{l.name} · {l.tray}</text>
                {l.drives.slice(0, 12).map((d, n) => (
                  <circle key={d.name} cx={-66 + n * 12} cy="0" r="4.5" class={`drive ${d.state}`}><title>{`${d.name} ${d.state}`}</title></circle>
                ))}
                <text y="24" text-anchor="middle" class="small">{(l.banks || []).map((b) => `${b.group}: ${(b.allowed || []).join("+")}`).join("  ")}</text>
              </Box>
            ))}
            {s.groups.map((g) => {
              const at = unitPlace(g.primary);
              return at && (
                <g key={g.name} class="badge" style={{ transform: `translate(${at[0] + 38}px, ${at[1] + 4}px)` }}>
                  <rect x="-30" y="-10" width="60" height="20" rx="10" />
                  <text y="4" text-anchor="middle">★ {g.name}</text>
                </g>
              );
            })}
          </svg>
        </div>
      </Card>
      <Card title="The same in words" wide>
        <Table rows={modules.flatMap((m) => m.units)} columns={[
          { head: "unit", cell: (u) => u.name },
          { head: "group", cell: (u) => u.group },
          { head: "state", cell: (u) => <Mark state={u.state} /> },
          { head: "epoch", number: true, cell: (u) => u.epoch },
          { head: "hears", cell: (u) => (u.heard_units || []).join(", ") || "-" },
          { head: "drives reached", number: true, cell: (u) => (u.drives_reached || []).length },
        ]} />
      </Card>
    </>
  );
}
