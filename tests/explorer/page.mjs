// A browser that does what it is told: one command a line in JSON, and one line in JSON about each.
// `["eval", "1 + 1"]` gives `{"value": 2}`; what goes wrong gives `{"failed": …}`. Without commands it ends.

import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const LOOK_MS = 50;
// The longest that anything may take.
const PATIENCE_MS = 180_000;

const browser = await chromium.launch({
  executablePath: process.argv[2],
  headless: true,
  args: SWITCHES,
  timeout: PATIENCE_MS,
});
const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
context.setDefaultTimeout(PATIENCE_MS);
const troubles = [];
const tabs = {};
// The tab that commands are for.
let page = null;

async function tab(name) {
  if (tabs[name] === undefined) {
    tabs[name] = await context.newPage();
    tabs[name].on("console", (message) => {
      if (message.type() === "error") {
        troubles.push(message.text());
      }
    });
    tabs[name].on("pageerror", (error) => troubles.push(String(error)));
  }
  page = tabs[name];
  return null;
}

await tab("first");

// `eval` of a page would need a policy that lets strings be run: the browser itself is asked.
async function until(expression, ms) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await page.evaluate(expression).catch(() => null);
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`not in ${ms} ms: ${expression}; ${await page.evaluate("document.body.innerText")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const COMMANDS = {
  tab,
  close: async (name) => {
    await tabs[name].close();
    delete tabs[name];
    return null;
  },
  goto: (url) => page.goto(url).then(() => null),
  file: (selector, path) => page.setInputFiles(selector, path),
  fill: (selector, text) => page.fill(selector, text),
  click: (selector) => page.click(selector),
  press: (key) => page.keyboard.press(key),
  eval: (expression) => page.evaluate(expression),
  until,
  size: (width, height) => page.setViewportSize({ width, height }),
  scheme: (colorScheme) => page.emulateMedia({ colorScheme }),
  shot: (path) => page.screenshot({ path, fullPage: true }).then(() => null),
  troubles: () => troubles,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...inputs] = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await COMMANDS[command](...inputs)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ failed: String(error) }));
  }
}
await browser.close();
