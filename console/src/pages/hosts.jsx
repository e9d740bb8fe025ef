// SPDX-License-Identifier: Apache-2.0
import { Mark } from "../parts/mark.jsx";
import { Card, Copy, Table } from "../parts/table.jsx";

export function Hosts({ state }) {
  const s = state.status;
  const sessions = s.switches.flatMap((sw) => sw.sessions.map((x, i) => ({ ...x, on: sw.name, key: `${sw.name} ${i}` })));
  const target = (s.switches.find((sw) => sw.target) || {}).target || "";
  const portals = s.switches.flatMap((sw) => sw.portals || []);
  const paths = (host) => sessions.filter((x) => (host.initiators || []).includes(x.initiator)).map((x) => x.on);
  return (
    <>
      <Card title="Hosts" wide>
        <Table rows={s.hosts} empty="No host has a name: every initiator sees every volume that has a LUN. segue host create names one." columns={[
          { head: "host", cell: (h) => h.name },
          { head: "initiators", cell: (h) => (h.initiators || []).join(" ") },
          { head: "volumes", cell: (h) => (h.luns || []).map((l) => `${l.lun}: ${l.name || l.volume}`).join(", ") || "none" },
          { head: "paths", cell: (h) => { const p = paths(h); return <Mark state={p.length > 1 ? "ok" : p.length ? "warning" : "none"} text={p.join(", ") || "not logged in"} />; } },
        ]} />
      </Card>
      <Card title="Sessions" wide>
        <Table rows={sessions} empty="Nobody is logged in." columns={[
          { head: "initiator", cell: (x) => x.initiator || "?" },
          { head: "through", cell: (x) => x.on },
          { head: "from", cell: (x) => x.address || x.peer || "-" },
          { head: "commands", number: true, cell: (x) => x.commands === undefined ? "-" : x.commands },
        ]} />
      </Card>
      <Card title="Connect" wide>
        <p>Linux (open-iscsi, as root); both paths are good always, multipath uses both:</p>
        <Copy text={`iscsiadm -m discovery -t sendtargets -p ${portals[0] || "PORTAL"}\niscsiadm -m node -T ${target} --login`} />
        <p>QEMU:</p>
        <Copy text={`qemu-img info iscsi://${portals[0] || "PORTAL"}/${target}/0`} />
        <p>libiscsi:</p>
        <Copy text={portals.map((p) => `iscsi-inq iscsi://${p}/${target}/0`).join("\n")} />
      </Card>
    </>
  );
}
