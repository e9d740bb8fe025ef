// SPDX-License-Identifier: Apache-2.0
// The page that Segue is about: each takeover's phases, over what hosts felt in the same seconds.
import { Card, Table } from "../parts/table.jsx";
import { Histogram, Timeline } from "../parts/timeline.jsx";
import { clock, day, ms } from "../words.js";
import { Charts } from "./overview.jsx";

const causes = {
  availability: "its signal stopped", link_reset: "its process died", handshake: "it answered no command",
  processing: "it carried nothing out", planned: "somebody moved the group", first: "the group was served first", handover: "it was stopped in order",
};
const AROUND = 20;

export function Takeovers({ state, theme, query }) {
  const list = [...state.takeovers].reverse();
  const chosen = list.find((t) => t.time === query.t) || list.find((t) => t.cause !== "first") || list[0];
  if (!chosen) return <p class="quiet">There was no takeover so far. <code>segue group move</code> or <code>segue drill</code> makes one.</p>;
  const at = Date.parse(chosen.time) / 1000;
  const series = state.series.filter((s) => Math.abs(s.t - at) <= AROUND);
  const longest = series.filter((s) => s.max !== null && s.t >= at - 1 && s.t <= at + 3).reduce((n, s) => Math.max(n, s.max), 0);
  const key = (t) => `${t.time} ${t.group}`;
  return (
    <div class="two">
      <Card title="Takeovers">
        <Table chosen={key(chosen)} onChoose={(t) => (location.hash = `#/takeovers?t=${t.time}`)}
          rows={list.map((t) => ({ ...t, key: key(t) }))} columns={[
            { head: "when", cell: (t) => day(t.time) },
            { head: "group", cell: (t) => t.group },
            { head: "unit", cell: (t) => t.unit },
            { head: "cause", cell: (t) => t.cause },
            { head: "took", number: true, cell: (t) => (t.done ? ms(t.duration_ms) : "under way") },
          ]} />
      </Card>
      <div>
        <Card title={`${chosen.group}: ${chosen.unit} takes over`} extra={<span class="big">{ms(chosen.duration_ms)}</span>}>
          <p class="quiet">{clock(chosen.time)} · epoch {chosen.epoch} · {causes[chosen.cause] || chosen.cause}
            {longest > 0 && ` · longest host wait ${ms(longest)}`} · <a href={`#/events?object=group/${chosen.group}`}>its events</a></p>
          <Timeline takeover={chosen} />
        </Card>
        <Card title="What hosts felt in the same seconds">
          {series.length > 1 ? <Charts series={series} theme={theme} marks={[{ t: at }]} />
            : <p class="quiet">Rates are kept for a quarter of an hour.</p>}
        </Card>
        <Card title="All of them"><Histogram takeovers={state.takeovers} /></Card>
      </div>
    </div>
  );
}
