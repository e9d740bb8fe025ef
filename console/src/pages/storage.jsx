// SPDX-License-Identifier: Apache-2.0
import { Mark } from "../parts/mark.jsx";
import { Card, Table } from "../parts/table.jsx";
import { bytes } from "../words.js";

const failures = (n) => (n < 0 ? "more is lost than it can" : n === 1 ? "1 failure" : `${n} failures`);

export function Storage({ state }) {
  const s = state.status;
  const hosts = (volume) => {
    const mapped = s.hosts.filter((h) => (h.luns || []).some((l) => l.name === volume.name || l.volume === volume.name)).map((h) => h.name);
    return mapped.join(", ") || (volume.lun === null || volume.lun === undefined ? "nobody" : s.hosts.length ? "nobody" : "everybody");
  };
  return (
    <>
      <Card title="Pools" wide>
        <Table rows={s.pools} empty="No pool yet: segue pool create makes one." columns={[
          { head: "pool", cell: (p) => p.name },
          { head: "state", cell: (p) => <Mark state={p.state} /> },
          { head: "group", cell: (p) => p.group },
          { head: "level", cell: (p) => p.level },
          { head: "cache", cell: (p) => p.cache },
          { head: "survives", cell: (p) => failures(p.redundancy_remaining) },
          { head: "used", cell: (p) => (
            <div class="meter small" role="meter" aria-valuenow={p.used_bytes} aria-valuemin="0" aria-valuemax={p.size_bytes} aria-label="used">
              <span style={{ width: `${p.size_bytes ? (100 * p.used_bytes) / p.size_bytes : 0}%` }} />
            </div>) },
          { head: "of", number: true, cell: (p) => `${bytes(p.used_bytes)} of ${bytes(p.size_bytes)}` },
          { head: "drives", cell: (p) => p.drives.join(" ") },
        ]} />
      </Card>
      <Card title="Volumes" wide>
        <Table rows={s.volumes} empty="No volume yet: segue volume create makes one." columns={[
          { head: "volume", cell: (v) => v.name },
          { head: "state", cell: (v) => <Mark state={v.state} /> },
          { head: "size", number: true, cell: (v) => bytes(v.size_bytes) },
          { head: "blocks", number: true, cell: (v) => v.block_bytes },
          { head: "pool", cell: (v) => v.pool },
          { head: "LUN", number: true, cell: (v) => (v.lun === null || v.lun === undefined ? "-" : v.lun) },
          { head: "hosts", cell: hosts },
          { head: "", cell: (v) => (v.read_only ? "read-only" : "") },
        ]} />
      </Card>
    </>
  );
}
