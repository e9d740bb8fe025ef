// SPDX-License-Identifier: Apache-2.0
// What the pages show: the array's state, what happens, and the rates of the last minutes. One stream of events feeds
// it; the state is read again when something has happened, and now and then.
import { useEffect, useState } from "preact/hooks";
import { get, session } from "./api.js";

const KEEP_SECONDS = 900;
const KEEP_EVENTS = 500;

export const state = {
  who: undefined, // undefined: not known yet; null: nobody
  status: null,
  takeovers: [],
  events: [],
  series: [], // {t, reads, writes, readBytes, writtenBytes, p50, p99, max} a second
  live: false,
  trouble: null, // why nothing is heard
};
const listeners = new Set();

export function changed() {
  for (const listener of listeners) listener();
}

export function useStore() {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = () => again((n) => n + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return state;
}

let reading = false;
let wanted = false;

// At most one reading at a time; what is asked for meanwhile is one more.
export async function refresh() {
  if (reading) {
    wanted = true;
    return;
  }
  reading = true;
  try {
    const [status, takeovers] = await Promise.all([get("/status"), get("/takeovers?limit=100")]);
    state.status = status;
    state.takeovers = takeovers.takeovers;
    state.trouble = null;
  } catch (e) {
    if (e.status === 401) state.who = null;
    else state.trouble = e;
  }
  reading = false;
  changed();
  if (wanted) {
    wanted = false;
    setTimeout(refresh, 250);
  }
}

function add(list, item, most) {
  list.push(item);
  if (list.length > most) list.splice(0, list.length - most);
}

// One second as /series has it.
export function takeRates(r) {
  if (!r) return;
  const t = Date.parse(r.time) / 1000;
  if (state.series.length && t <= state.series[state.series.length - 1].t) return;
  add(
    state.series,
    {
      t,
      reads: r.reads,
      writes: r.writes,
      readBytes: r.read_bytes,
      writtenBytes: r.written_bytes,
      p50: r.p50_ms,
      p99: r.p99_ms,
      max: r.longest_ms,
    },
    KEEP_SECONDS,
  );
}

let source = null;

function listen() {
  if (source) source.close();
  source = new EventSource("/api/v1/events?topics=events,health,metrics");
  source.onopen = () => {
    state.live = true;
    changed();
  };
  source.onerror = () => {
    state.live = false;
    changed();
  };
  source.addEventListener("events", (e) => {
    const event = JSON.parse(e.data);
    if (!state.events.some((other) => other.id === event.id)) add(state.events, event, KEEP_EVENTS);
    changed();
    refresh();
  });
  source.addEventListener("health", refresh);
  source.addEventListener("missed", refresh);
  source.addEventListener("metrics", (e) => {
    takeRates(JSON.parse(e.data).rates);
    changed();
  });
}

let timer = null;

export async function begin() {
  try {
    state.who = await session();
    state.trouble = null;
  } catch (e) {
    state.trouble = e;
    changed();
    setTimeout(begin, 2000);
    return;
  }
  changed();
  if (!state.who) return;
  try {
    state.events = (await get("/events?limit=200")).events;
    (await get("/series")).series.forEach(takeRates);
  } catch {
    state.events = [];
  }
  listen();
  refresh();
  clearInterval(timer);
  timer = setInterval(refresh, 3000);
}

export function end() {
  clearInterval(timer);
  if (source) source.close();
  source = null;
  state.who = null;
  state.live = false;
  changed();
}

const ranks = { monitor: 0, operator: 1, admin: 2 };
export const may = (role) => Boolean(state.who) && ranks[state.who.role] >= ranks[role];
