// Drives the annotation server with several people at once, each in a browser of their own, and prints what they answered.
//
// Does not look into the server's database: the caller compares. Holds always: one line of JSON on stdout, a list of
// {person, batch, task, question, answer} as each person last gave them; everything else goes to stderr.
//
// Each person answers one sheet by keyboard (SHEETS=n: so many, one after another), takes one answer back on the way,
// changes another, reloads in the middle, and finishes. With PAUSE_FILE: when all are in the middle of the first sheet,
// with answers perhaps still on their way, that file is created; the run goes on when somebody has removed it, so that
// the server can be killed and started anew meanwhile. Whoever writes `down` into the file, with the server killed, has
// everybody answer one more image first; `answered` stands in the file when that is done.
//
// With OWNER, the owner's link: first the owner lets one more person in.
//
// Needs: what `page_driver.mjs` needs.
// Usage: NODE_PATH=… node annotation_server.mjs JOIN_LINK…      exit code 0 = done, 1 = something failed, 2 = usage
import assert from "node:assert/strict";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { answerOn, isEnd, KEYS, ready, shownImage } from "./annotation_driver.mjs";
import { launch, listen, runChecks } from "./page_driver.mjs";

const links = process.argv.slice(2);
if (!links.length || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> [PAUSE_FILE=…] [SHEETS=n] node annotation_server.mjs JOIN_LINK…");
  process.exit(2);
}
const pauseFile = process.env.PAUSE_FILE, sheets = Number(process.env.SHEETS ?? 1);
const browser = await launch();
const complaints = [];

async function join(link, number) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const person = { page, number, given: new Map(), sheet: null, mayFail: false };
  // While the server is down, the browser complains of failed requests; that is what is tried.
  listen(page, (text) => person.mayFail && /Failed to load resource|net::/.test(text) ? null : complaints.push(`person ${number}: ${text}`));
  page.on("response", async (response) => {
    if (new URL(response.url()).pathname === "/api/sheet" && response.status() === 200) person.sheet = await response.json().catch(() => null);
  });
  await page.goto(link);
  await arrive(person);
  return person;
}

// Waits for the sheet, and closes the instructions where they came up.
async function arrive({ page }) {
  await page.waitForSelector("#sheet:not([hidden]), #end:not([hidden])");
  if (await page.locator("#instructions").evaluate((dialog) => dialog.open)) await page.keyboard.press("Escape");
}

function note({ sheet, given, number }, image, question, answer) {
  const entry = { person: sheet.person ?? `person ${number}`, batch: sheet.batch, task: sheet.tasks[image].task, question: sheet.questions[question].id };
  given.set(JSON.stringify(Object.values(entry)), { ...entry, answer });
}

// Another mixture of answers for every person; noted when given.
const chooser = (person) => (image, question) => {
  const answer = Object.keys(KEYS)[(image * 5 + question * 2 + person.number) % 3];
  note(person, image, question, answer);
  return answer;
};

// The owner lets somebody in, by the form, as a browser sends it.
async function invite(link) {
  const page = await (await browser.newContext()).newPage();
  listen(page, (text) => complaints.push(`owner: ${text}`));
  await page.goto(link);
  await page.fill("[name=name]", "Hedy <b>");
  await page.click("form button");
  await page.waitForURL("**/owner");
  assert((await page.textContent("body")).includes("Hedy <b>"), "the person is not on the owner's page");
  await page.context().close();
}

const perImage = ({ sheet }) => sheet.questions.length;
const half = (person) => Math.floor(person.sheet.tasks.length / 2) * perImage(person);

// The first half, with one answer taken back and given anew, and one changed later.
async function firstHalf(person) {
  const { page } = person;
  await answerOn(page, chooser(person), 1);
  await page.keyboard.press("u");
  await answerOn(page, chooser(person), half(person));
  const image = await shownImage(page);
  await page.keyboard.press("ArrowLeft");
  await ready(page);
  for (let question = 0; question < perImage(person); question += 1) {
    await page.keyboard.press("n");
    note(person, image - 1, question, "no");
  }
}

async function pause(people) {
  for (const person of people) person.mayFail = true;
  fs.writeFileSync(pauseFile, "paused\n");
  console.error(`paused: ${pauseFile}`);
  for (let answered = false; fs.existsSync(pauseFile); await sleep(50)) {
    if (answered || !readPause().includes("down")) continue;
    answered = true;
    await Promise.all(people.map(answerWhileDown));
    fs.appendFileSync(pauseFile, "answered\n");
  }
}

const readPause = () => { try { return fs.readFileSync(pauseFile, "utf8"); } catch { return ""; } };

// The next image is loaded ahead, so that it can be judged without a server.
async function answerWhileDown(person) {
  await answerOn(person.page, chooser(person), perImage(person));
  await person.page.waitForFunction(() => /Cannot reach the server/.test(document.getElementById("status").textContent));
}

async function secondHalf(person) {
  const { page } = person;
  if (pauseFile) await page.waitForFunction(() => document.getElementById("status").dataset.state === "saved", null, { timeout: 60000 });
  person.mayFail = false;
  const before = await shownImage(page);
  await page.reload();
  await arrive(person);
  if (!(await isEnd(page))) assert.equal(await shownImage(page), before, `person ${person.number}: goes on where it was`);
  await answerOn(page, chooser(person));
}

async function finish({ page, sheet }) {
  await page.waitForFunction(() => document.getElementById("finish").getAttribute("aria-disabled") === "false");
  assert.equal(await page.locator("#finish").textContent(), "Finish", "nothing is missing");
  await sleep(300); // a click right after the last answer is ignored
  const next = page.waitForResponse((response) => new URL(response.url()).pathname === "/api/sheet");
  await page.click("#finish");
  const response = await next;
  if (response.status() === 200) assert.notEqual((await response.json()).batch, sheet.batch, "the next sheet is another one");
  else assert.equal(response.status(), 204);
}

async function main() {
  const people = await Promise.all(links.map(join));
  for (let sheet = 0; sheet < sheets; sheet += 1) {
    const busy = [];
    for (const person of people) if (!(await person.page.locator("#message").isVisible())) busy.push(person);
    await Promise.all(busy.map(firstHalf));
    if (pauseFile && sheet === 0) await pause(busy);
    await Promise.all(busy.map(secondHalf));
    await Promise.all(busy.map(finish));
    await Promise.all(busy.map(({ page }) => page.waitForSelector("#sheet:not([hidden]), #message:not([hidden])")));
  }
  console.log(JSON.stringify(people.flatMap(({ given }) => [...given.values()])));
}

const invited = process.env.OWNER ? { "the owner lets somebody in": () => invite(process.env.OWNER) } : {};
const code = await runChecks({ ...invited, [`${links.length} people at once`]: main }, complaints);
await browser.close();
process.exit(code);
