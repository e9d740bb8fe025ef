// SPDX-License-Identifier: Apache-2.0
// The front of each tray. A slot's letter, colour and pattern each say its state.
import { useState } from "preact/hooks";
import { post } from "../api.js";
import { kindOf, Mark } from "../parts/mark.jsx";
import { Card } from "../parts/table.jsx";
import { may, refresh } from "../store.js";
import { bytes, count } from "../words.js";

const SLOTS = 24;
const letters = { good: "o", free: "-", failed: "F", stale: "S", rebuilding: "R", bypassed: "B", gone: "G", offline: "X" };

function Slot({ n, drive, chosen, choose }) {
  const state = drive ? (drive.online === false && drive.state === "good" ? "offline" : drive.state) : "empty";
  const name = `slot ${String(n).padStart(2, "0")}`;
  return (
    <button type="button" class={`slot ${state === "empty" ? "empty" : kindOf(state)} ${drive && drive.located ? "located" : ""} ${chosen ? "chosen" : ""}`}
      disabled={!drive} onClick={choose} aria-label={drive ? `${name}: ${drive.name} ${state}` : `${name}: empty`} aria-pressed={chosen}>
      <span class="number">{String(n).padStart(2, "0")}</span>
      <span class="letter">{drive ? letters[state] || "?" : ""}</span>
    </button>
  );
}

function Details({ drive, pool }) {
  const [said, say] = useState(null);
  const locate = async (on) => {
    try {
      await post(`/drives/${drive.name}/locate`, { state: on ? "on" : "off" });
      say(on ? "its light is on" : "its light is off");
    } catch (e) {
      say(e.message);
    }
    refresh();
  };
  return (
    <Card title={`Drive ${drive.name}`} extra={<Mark state={drive.state} />}>
      <dl>
        <dt>pool</dt><dd>{pool ? `${pool.name} (${pool.level})` : "none"}</dd>
        <dt>size</dt><dd>{bytes(drive.size_bytes)}, blocks of {drive.block_bytes}</dd>
        <dt>serial</dt><dd>{drive.serial || "-"}</dd>
        {drive.al_pa !== undefined && [<dt key="a">AL_PA</dt>, <dd key="b">{drive.al_pa}</dd>]}
        <dt>is</dt><dd><code>{drive.path}</code></dd>
        <dt>read, written</dt><dd>{bytes(drive.read_bytes)}, {bytes(drive.written_bytes)}</dd>
        <dt>errors</dt><dd>{count(drive.errors || 0)}</dd>
        <dt>under way</dt><dd>{count(drive.queued || 0)}</dd>
      </dl>
      {may("operator") && (
        <footer>
          <button type="button" onClick={() => locate(true)}>locate</button>
          <button type="button" onClick={() => locate(false)}>stop locating</button>
          {said && <span class="quiet">{said}</span>}
        </footer>
      )}
    </Card>
  );
}

export function Hardware({ state }) {
  const [name, choose] = useState(null);
  const s = state.status;
  const all = s.loops.flatMap((l) => l.drives);
  const drive = all.find((d) => d.name === name);
  return (
    <div class="two wideleft">
      <div>
        {s.loops.map((l) => (
          <Card key={l.name} title={`Tray ${l.tray}`} extra={<span class="quiet">loop switch {l.name} · {l.drives.filter((d) => d.online !== false).length} of {l.drives.length} drives on line</span>}>
            <div class="tray">
              {Array.from({ length: SLOTS }, (_, n) => {
                const d = l.drives.find((x) => x.slot === n);
                return <Slot key={n} n={n} drive={d} chosen={d && d.name === name} choose={() => choose(d.name)} />;
              })}
            </div>
            <p class="quiet">fences: {(l.banks || []).map((b) => `${b.group} epoch ${b.epoch}, for ${(b.allowed || []).join(" and ")}${b.refused ? `, ${b.refused} commands refused` : ""}`).join(" · ")}</p>
          </Card>
        ))}
        <p class="legend"><Mark state="good" text="o in a pool" /> <Mark state="free" text="- free" /> <Mark state="stale" text="S behind" /> <Mark state="rebuilding" text="R rebuilding" /> <Mark state="failed" text="F failed" /></p>
      </div>
      <div>{drive ? <Details drive={drive} pool={s.pools.find((p) => p.drives.includes(drive.name))} /> : <Card title="Drive"><p class="quiet">Choose a slot.</p></Card>}</div>
    </div>
  );
}
