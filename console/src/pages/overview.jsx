// SPDX-License-Identifier: Apache-2.0
import { post } from "../api.js";
import { Chart } from "../parts/chart.jsx";
import { Mark } from "../parts/mark.jsx";
import { Card, Table } from "../parts/table.jsx";
import { may, refresh } from "../store.js";
import { ago, bytes, count, ms, ns } from "../words.js";
import { jobsOf } from "./jobs.jsx";

const verdicts = { ok: "everything serves, and is protected", degraded: "serving, but less protected", failed: "something is not served" };

function Problem({ check }) {
  const mute = async () => {
    await post(`/health/${encodeURIComponent(check.code)}/mute`, { object: check.object, for: "4h" }).catch(() => {});
    refresh();
  };
  return (
    <article class={`problem ${check.severity} ${check.muted_until ? "muted" : ""}`}>
      <h3><Mark state={check.severity} text={check.summary} /></h3>
      <dl>
        <dt>effect</dt><dd>{check.effect}</dd>
        {check.doing && [<dt key="d">doing</dt>, <dd key="e">{check.doing}</dd>]}
        <dt>do</dt><dd>{check.remedy.map((r) => <div key={r}>{r}</div>)}</dd>
      </dl>
      <footer>
        <a href={`#/events?explain=${check.code}`}>{check.code}</a>
        {check.muted_until ? <span class="quiet">muted until {ago(check.muted_until)}</span>
          : may("operator") && <button type="button" onClick={mute}>mute for 4 h</button>}
      </footer>
    </article>
  );
}

export function Charts({ series, theme, marks }) {
  const times = series.map((s) => s.t);
  const line = (key) => series.map((s) => s[key]);
  const mib = (key) => series.map((s) => s[key] / 1048576);
  return (
    <div class="charts">
      <Chart title="commands a second" theme={theme} marks={marks} times={times} values={[line("reads"), line("writes")]} format={count}
        lines={[{ label: "read", colour: "--read", fill: "--read-fill" }, { label: "write", colour: "--write", fill: "--write-fill" }]} />
      <Chart title="MiB a second" theme={theme} marks={marks} times={times} values={[mib("readBytes"), mib("writtenBytes")]} format={count}
        lines={[{ label: "read", colour: "--read", fill: "--read-fill" }, { label: "write", colour: "--write", fill: "--write-fill" }]} />
      <Chart title="latency that hosts see, ms" theme={theme} marks={marks} times={times} values={[line("p50"), line("p99"), line("max")]}
        format={(v) => v.toFixed(v < 10 ? 2 : 0)}
        lines={[{ label: "p50", colour: "--read" }, { label: "p99", colour: "--write" }, { label: "longest", colour: "--failed" }]} />
    </div>
  );
}

export function Overview({ state, theme }) {
  const s = state.status;
  const size = s.pools.reduce((n, p) => n + p.size_bytes, 0);
  const used = s.pools.reduce((n, p) => n + p.used_bytes, 0);
  const last = state.takeovers.filter((t) => t.cause !== "first").slice(-1)[0];
  const jobs = jobsOf(s);
  return (
    <>
      <div class={`verdict ${s.health.state}`}>
        <Mark state={s.health.state} text={s.health.state.toUpperCase()} />
        <span>{verdicts[s.health.state]}</span>
        <span class="quiet">{s.health.in_sync ? "all units in sync" : "not all units are in sync"}</span>
      </div>
      {s.health.checks.length > 0 && <div class="problems">{s.health.checks.map((c) => <Problem key={c.code + c.object} check={c} />)}</div>}
      <Charts series={state.series.slice(-300)} theme={theme} marks={state.takeovers.map((t) => ({ t: Date.parse(t.time) / 1000 }))} />
      <div class="cards">
        <Card title="Groups">
          <Table rows={s.groups} columns={[
            { head: "group", cell: (g) => g.name },
            { head: "primary", cell: (g) => <Mark state={g.serving ? "ok" : "failed"} text={g.primary || "nobody"} /> },
            { head: "in sync", cell: (g) => (g.in_sync || []).join(", ") },
            { head: "handshake", number: true, cell: (g) => ns(g.handshake_ns || 0) },
            { head: "queue", number: true, cell: (g) => count(g.queue || 0) },
            { head: "mirror", number: true, cell: (g) => bytes(g.mirror_bytes || 0) },
          ]} />
        </Card>
        <Card title="Capacity">
          <div class="meter" role="meter" aria-valuenow={used} aria-valuemin="0" aria-valuemax={size} aria-label="capacity used">
            <span style={{ width: `${size ? (100 * used) / size : 0}%` }} />
          </div>
          <p>{bytes(used)} of {bytes(size)} in volumes, {s.pools.length} pools, {s.volumes.length} volumes</p>
        </Card>
        <Card title="Last takeover">
          {last ? (
            <p><a href={`#/takeovers?t=${last.time}`}>{last.group}: {last.unit} in {ms(last.duration_ms)}</a>
              <br /><span class="quiet">{last.cause}, {ago(last.time)}</span></p>
          ) : <p class="quiet">none so far</p>}
        </Card>
        <Card title="Jobs">
          {jobs.length ? jobs.map((j) => <p key={j.key}>{j.what}: {bytes(j.left)} left</p>) : <p class="quiet">nothing to do</p>}
        </Card>
      </div>
    </>
  );
}
