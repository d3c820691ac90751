// What the browser tests of all pages share: Chromium, a page that is listened to, checks one after another.
//
// Does not check anything by itself. Needs: playwright-core under NODE_PATH, Chromium at $CHROMIUM or /usr/bin/chromium.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

export async function launch() {
  const folder = process.env.NODE_PATH.split(path.delimiter)[0];
  const { chromium } = createRequire(path.resolve(folder, "_.js"))("playwright-core");
  const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
}

// Hands everything that the browser says about the page to `complain`; that a site has no icon is no complaint.
export function listen(page, complain) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !message.location().url.endsWith("/favicon.ico")) complain(message.text());
  });
  page.on("pageerror", (error) => complain(String(error)));
}

// Opens pages of one file, each in a window of its own; what the browser says of them is in `complaints`.
export async function reader(file) {
  const browser = await launch(), complaints = [], url = pathToFileURL(path.resolve(file)).href;
  async function open({ width = 1280, fragment = "", ...context } = {}) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, ...context });
    listen(page, (text) => complaints.push(text));
    page.on("request", (request) => /^(data|file):/.test(request.url()) || complaints.push("request to " + request.url()));
    await page.goto(url + fragment);
    return page;
  }
  return { browser, complaints, open };
}

// Cards that are shown; the place of the focus among them, -1 without one; whether the larger view is open.
export const visible = (page) => page.locator(".card:not([hidden])").count();
export const focused = (page) => page.evaluate(() => [...document.querySelectorAll(".card:not([hidden]) .open")].indexOf(document.activeElement));
export const viewing = (page) => page.locator("#viewer").evaluate((dialog) => dialog.open);

// How many of the first images of cards do not decode.
export const brokenImages = (page) => page.evaluate(async () => {
  const results = await Promise.allSettled([...document.querySelectorAll(".card img")].slice(0, 20).map((image) => {
    image.loading = "eager";
    return image.decode();
  }));
  return results.filter((result) => result.status === "rejected").length;
});

// Whether a script that the page does not name runs in it; the browser's complaint is taken back, because it is wanted.
export async function runsForeignScript(page, complaints) {
  const before = complaints.length;
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.foreign = true";
    document.body.append(script);
    return window.foreign === true;
  });
  complaints.splice(before);
  return ran;
}

// Runs named checks one after another and gives the exit code; a check that takes a page gets a fresh one of `open`. What
// they print goes to stderr so that stdout stays free for results; `what` was looked at.
export async function runChecks(checks, complaints, { open = null, what = "" } = {}) {
  let failures = 0;
  for (const [name, check] of Object.entries(checks)) {
    if (process.env.ONLY && !name.includes(process.env.ONLY)) continue;
    const page = check.length ? await open() : null;
    try {
      await check(page);
      console.error("ok   " + name);
    } catch (error) {
      failures += 1;
      console.error(`FAIL ${name}: ${error.stack}`);
    }
    await page?.close();
  }
  for (const complaint of new Set(complaints)) console.error("FAIL the browser complains: " + complaint);
  console.error(`${what}${failures} failed checks, ${complaints.length} complaints of the browser`);
  return failures || complaints.length ? 1 : 0;
}
