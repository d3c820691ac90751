// What the browser tests of the annotation page share: Chromium, a page that is listened to, keys at the right moment.
//
// Does not check anything by itself. Needs: playwright-core under NODE_PATH, Chromium at $CHROMIUM or /usr/bin/chromium.
import { createRequire } from "node:module";
import path from "node:path";

export const KEYS = { yes: "y", no: "n", not_sure: "s" };

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

// The page takes answers only while the image is on the screen.
export const ready = (page) => page.waitForSelector('#frame[data-state="ready"]');

export const isEnd = (page) => page.locator("#end").isVisible();

// Number of the shown image, counted from 0.
export const shownImage = async (page) => Number((await page.locator("#place").textContent()).split(" ")[0]) - 1;

// Number of the question that the next key answers.
export const askedQuestion = (page) => page.evaluate(() => [...document.querySelectorAll(".question")].findIndex((box) => box.classList.contains("current")));

// Answers questions by keyboard until the end, or until `limit` are answered: `choose(image, question)` gives the answer.
export async function answerOn(page, choose, limit = Infinity) {
  let answered = 0;
  for (; answered < limit && !(await isEnd(page)); answered += 1) {
    await ready(page);
    await page.keyboard.press(KEYS[choose(await shownImage(page), await askedQuestion(page))]);
  }
  return answered;
}

// Runs named checks one after another; what they print goes to stderr so that stdout stays free for results.
export async function runChecks(checks, complaints) {
  let failures = 0;
  for (const [name, check] of Object.entries(checks)) {
    if (process.env.ONLY && !name.includes(process.env.ONLY)) continue;
    try {
      await check();
      console.error("ok   " + name);
    } catch (error) {
      failures += 1;
      console.error(`FAIL ${name}: ${error.stack}`);
    }
  }
  for (const complaint of new Set(complaints)) console.error("FAIL the browser complains: " + complaint);
  console.error(`${failures} failed checks, ${complaints.length} complaints of the browser`);
  return failures || complaints.length ? 1 : 0;
}
