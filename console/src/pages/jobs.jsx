// SPDX-License-Identifier: Apache-2.0
import { Card, Table } from "../parts/table.jsx";
import { bytes } from "../words.js";

// Work that the array does by itself: what it tells as jobs, and copies that are made equal again.
export function jobsOf(status) {
  const jobs = (status.jobs || []).map((j) => ({
    key: `job ${j.id || j.name}`,
    what: `${j.kind || "job"} of ${j.object || j.pool || ""}`,
    left: (j.size_bytes || 0) - (j.done_bytes || 0),
    done: j.size_bytes ? j.done_bytes / j.size_bytes : null,
    state: j.state || "running",
  }));
  for (const g of status.groups || [])
    if (g.resync_left_bytes && !(status.jobs || []).length)
      jobs.push({ key: `resync ${g.name}`, what: `resynchronise the drives of ${g.name}`, left: g.resync_left_bytes, done: null, state: "running" });
  return jobs;
}

export function Jobs({ state }) {
  const jobs = jobsOf(state.status);
  return (
    <Card title="Jobs" wide>
      <Table rows={jobs} empty="Nothing is under way. What has ended is among the events." columns={[
        { head: "job", cell: (j) => j.what },
        { head: "state", cell: (j) => j.state },
        { head: "done", cell: (j) => j.done === null ? <progress aria-label={j.what} /> : <progress value={j.done} aria-label={j.what} /> },
        { head: "left", number: true, cell: (j) => bytes(j.left) },
      ]} />
    </Card>
  );
}
