// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.js";
import { Mark } from "../parts/mark.jsx";
import { Card, Table } from "../parts/table.jsx";
import { day } from "../words.js";

function Explain({ code }) {
  const [what, found] = useState(null);
  useEffect(() => {
    found(null);
    get(`/codes/${encodeURIComponent(code)}`).then(found, (e) => found({ meaning: e.message }));
  }, [code]);
  if (!what) return null;
  return (
    <Card title={code} extra={<a href="#/events">close</a>} wide>
      <dl>
        <dt>means</dt><dd>{what.meaning}</dd>
        {what.effect && [<dt key="e">effect</dt>, <dd key="f">{what.effect}</dd>]}
        {what.remedy && [<dt key="r">do</dt>, <dd key="s">{what.remedy}</dd>]}
        {what.metrics && [<dt key="m">metrics</dt>, <dd key="n"><code>{what.metrics}</code></dd>]}
      </dl>
    </Card>
  );
}

export function Events({ state, query }) {
  const [text, setText] = useState(query.object || "");
  const [least, setLeast] = useState("info");
  useEffect(() => setText(query.object || ""), [query.object]);
  const ranks = { info: 0, warning: 1, critical: 2 };
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...state.events].reverse().filter((e) =>
    (ranks[e.severity] || 0) >= ranks[least] && words.every((w) => `${e.code} ${e.object} ${e.part} ${e.text}`.toLowerCase().includes(w)));
  return (
    <>
      {query.explain && <Explain code={query.explain} />}
      <Card title="Events" wide extra={
        <span class="filters">
          <input type="search" value={text} placeholder="filter: g1 takeover" aria-label="filter" onInput={(e) => setText(e.currentTarget.value)} />
          <select value={least} aria-label="least severity" onChange={(e) => setLeast(e.currentTarget.value)}>
            <option value="info">all</option><option value="warning">warnings and worse</option><option value="critical">critical</option>
          </select>
          <Mark state={state.live ? "ok" : "warning"} text={state.live ? "live" : "not live"} />
        </span>}>
        <Table rows={rows.slice(0, 300)} empty="Nothing of that kind has happened." columns={[
          { head: "when", cell: (e) => day(e.time) },
          { head: "code", cell: (e) => <a href={`#/events?explain=${e.code}`}><Mark state={e.severity} text={e.code} /></a> },
          { head: "object", cell: (e) => e.object },
          { head: "said by", cell: (e) => e.part },
          { head: "text", cell: (e) => <span class="said">{e.text}</span> },
        ]} />
      </Card>
    </>
  );
}
