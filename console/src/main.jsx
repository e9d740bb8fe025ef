// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { logout } from "./api.js";
import { Mark } from "./parts/mark.jsx";
import { begin, changed, end, useStore } from "./store.js";
import { Events } from "./pages/events.jsx";
import { Hardware } from "./pages/hardware.jsx";
import { Hosts } from "./pages/hosts.jsx";
import { Jobs } from "./pages/jobs.jsx";
import { Login } from "./pages/login.jsx";
import { Overview } from "./pages/overview.jsx";
import { Storage } from "./pages/storage.jsx";
import { Takeovers } from "./pages/takeovers.jsx";
import { Topology } from "./pages/topology.jsx";
import "./style.css";

const pages = [
  ["overview", "Overview", Overview], ["topology", "Topology", Topology], ["takeovers", "Takeovers", Takeovers],
  ["hardware", "Hardware", Hardware], ["storage", "Storage", Storage], ["hosts", "Hosts", Hosts],
  ["events", "Events", Events], ["jobs", "Jobs", Jobs],
];

function route() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: pages.find((p) => p[0] === path) || pages[0], query: Object.fromEntries(new URLSearchParams(search || "")) };
}

// Light, dark, or as the system says.
function useTheme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") || "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    changed();
  }, [theme]);
  return [theme, () => setTheme({ auto: "dark", dark: "light", light: "auto" }[theme])];
}

// Digits choose pages, t the theme; not while somebody writes.
function useKeys(nextTheme) {
  useEffect(() => {
    const key = (e) => {
      if (e.ctrlKey || e.altKey || e.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
      const n = Number(e.key);
      if (n >= 1 && n <= pages.length) location.hash = `#/${pages[n - 1][0]}`;
      else if (e.key === "t") nextTheme();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  });
}

function App() {
  const state = useStore();
  const [at, setAt] = useState(route());
  const [theme, nextTheme] = useTheme();
  useKeys(nextTheme);
  useEffect(() => {
    const moved = () => setAt(route());
    addEventListener("hashchange", moved);
    begin();
    return () => removeEventListener("hashchange", moved);
  }, []);
  const Page = at.page[2];
  useEffect(() => {
    document.title = `${at.page[1]} · Segue${state.status ? ` ${state.status.array}` : ""}`;
  });
  if (state.who === null) return <Login />;
  const leave = async () => {
    await logout().catch(() => {});
    end();
  };
  return (
    <>
      <a class="skip" href="#main">to the content</a>
      <header class="top">
        <img src="icon.svg" alt="" width="26" height="26" />
        <strong>{state.status ? state.status.array : "Segue"}</strong>
        {state.status && <Mark state={state.status.health.state} text={state.status.health.state} />}
        <span class="grow" />
        {!state.live && state.who && <Mark state="warning" text="not live" />}
        <button type="button" onClick={nextTheme} title="light, dark, as the system (t)">{theme}</button>
        {state.who && <span class="quiet who">{state.who.caller} ({state.who.role})</span>}
        {state.who && state.who.csrf_token && <button type="button" onClick={leave}>log out</button>}
      </header>
      <nav aria-label="pages">
        {pages.map((p, i) => (
          <a key={p[0]} href={`#/${p[0]}`} class={p === at.page ? "here" : ""} aria-current={p === at.page ? "page" : undefined} title={`${p[1]} (${i + 1})`}>{p[1]}</a>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        <h1>{at.page[1]}</h1>
        {state.trouble && <p class="trouble" role="alert">{state.trouble.message}. {state.trouble.remedy}</p>}
        {state.status ? <Page state={state} query={at.query} theme={theme} /> : <p class="quiet">asking the array …</p>}
      </main>
    </>
  );
}

render(<App />, document.getElementById("app"));
