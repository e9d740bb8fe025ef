// SPDX-License-Identifier: Apache-2.0
// Drives the console in a headless Chromium against a running array.
//
//   node pages.mjs BROWSER URL SETUP_URL SCREENSHOTS     reads commands on standard input, a line each, and answers with
//                                                        "ok NAME" and "not ok NAME: why" lines, then "done"
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, url, setup, shots] = process.argv.slice(2);
const pages = ["overview", "topology", "takeovers", "hardware", "storage", "hosts", "events", "jobs"];
const password = "correct horse battery";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
let trouble = [];

function check(name, good, why) {
  console.log(good ? `ok console: ${name}` : `not ok console: ${name}: ${String(why).replace(/\s+/g, " ").slice(0, 600)}`);
}

async function attempt(name, f) {
  trouble = [];
  try {
    await f();
    check(name, trouble.length === 0, trouble.join(" | "));
  } catch (e) {
    check(name, false, e.message);
  }
}

async function open(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  // Being told 401 is how the page learns that nobody is logged in; a browser says so on its console.
  page.on("console", (m) => m.type() === "error" && !/401|403/.test(m.text()) && trouble.push(m.text()));
  page.on("pageerror", (e) => trouble.push(e.message));
  return page;
}

async function login(page, user, word) {
  await page.goto(`${url}/`);
  await page.fill("input[name=user]", user);
  await page.fill("input[name=password]", word);
  await page.click("button[type=submit]");
}

async function shot(page, name) {
  if (shots) await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

const go = async (page, name) => {
  await page.evaluate((hash) => (location.hash = hash), `#/${name}`);
  await page.waitForSelector(`nav a.here[href="#/${name}"]`);
  await page.waitForTimeout(300);
};

let admin;

const commands = {
  async setup() {
    await attempt("the set-up URL makes the first administrator, who is logged in then", async () => {
      admin = await open();
      await admin.goto(setup);
      await admin.fill("input[name=user]", "anna");
      await admin.fill("input[name=password]", password);
      await admin.click("button[type=submit]");
      await admin.waitForSelector(".verdict");
    });
    await attempt("the set-up URL works once", async () => {
      const page = await open();
      await page.goto(setup);
      await page.fill("input[name=user]", "eve");
      await page.fill("input[name=password]", password);
      await page.click("button[type=submit]");
      await page.waitForSelector(".trouble");
      trouble = trouble.filter((t) => !/status of 4/.test(t));
      await page.context().close();
    });
  },
  async pages() {
    for (const scheme of ["light", "dark"]) {
      await attempt(`every page, ${scheme}, without an error on the console`, async () => {
        const page = await open({ colorScheme: scheme });
        await login(page, "anna", password);
        await page.waitForSelector(".verdict");
        for (const name of pages) {
          await go(page, name);
          if ((await page.textContent("h1")).toLowerCase() !== name) throw new Error(`${name} has another heading`);
          await shot(page, `${name}-${scheme}`);
        }
        await page.context().close();
      });
    }
    await attempt("on a small screen nothing is wider than the screen", async () => {
      const page = await open({ viewport: { width: 390, height: 844 } });
      await login(page, "anna", password);
      await page.waitForSelector(".verdict");
      for (const name of pages) {
        await go(page, name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 1) throw new Error(`${name} is ${wide} pixels too wide`);
      }
      await go(page, "overview");
      await shot(page, "overview-small");
      await page.context().close();
    });
    await attempt("keys choose pages and the theme", async () => {
      await admin.keyboard.press("3");
      await admin.waitForSelector('nav a.here[href="#/takeovers"]');
      await admin.keyboard.press("t");
      await admin.waitForSelector('html[data-theme="dark"]');
      await admin.keyboard.press("t");
    });
  },
  // The takeover that begins now, by that unit, is on the page; says after how long.
  async takeover(unit, since) {
    await attempt(`the takeover by ${unit} is on the page`, async () => {
      await go(admin, "takeovers");
      await admin.waitForFunction(
        ([u, t]) => [...document.querySelectorAll("tbody tr.row")].some((r) => r.innerText.includes(u) && !r.innerText.includes("first")) && t,
        [unit, since]);
      console.log(`-- seen ${((Date.now() - Number(since)) / 1000).toFixed(2)} s after the kill`);
      await admin.waitForSelector("svg.timeline rect.phase");
      await admin.waitForTimeout(1500);
      await shot(admin, "takeover");
      await go(admin, "topology");
      await admin.waitForSelector(".badge");
      await shot(admin, "topology-after");
    });
  },
  async roles() {
    await attempt("a monitor is shown nothing to press", async () => {
      const page = await open();
      await login(page, "mona", password);
      await page.waitForSelector(".verdict");
      await go(page, "hardware");
      await page.click(".slot:not(:disabled)");
      await page.waitForSelector("text=serial");
      if (await page.locator("button:has-text('locate')").count()) throw new Error("there is a button");
      await page.click("text=log out");
      await page.waitForSelector("input[name=password]");
      await page.context().close();
    });
    await attempt("an administrator has a drive's light switched on, and off", async () => {
      await go(admin, "hardware");
      await admin.click(".slot:not(:disabled)");
      await admin.click("button:text-is('locate')");
      await admin.waitForSelector(".slot.located");
      await admin.click("button:text-is('stop locating')");
      await admin.waitForSelector(".slot.located", { state: "detached" });
    });
    await attempt("a wrong password is refused in words", async () => {
      const page = await open();
      await login(page, "anna", "wrong");
      await page.waitForSelector(".trouble");
      await page.context().close();
    });
  },
};

if (shots) fs.mkdirSync(shots, { recursive: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, ...words] = line.split(" ");
  if (name === "end") break;
  await commands[name](...words);
  console.log("done");
}
await browser.close();
