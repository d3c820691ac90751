// Drives the annotation page against a made-up server that fails in every way: nothing may be lost, doubled or reordered.
//
// Does not need a server: answers the page's requests inside the browser. Needs: what `page_driver.mjs` needs, and
// in FOLDER the files app.html, app.js, style.css and sheet.html that the test of the same bytes writes
// (HARDSET_SHEET_OUT=FOLDER/sheet.html cargo test --release --lib annotate).
// Usage: NODE_PATH=… node annotation_faults.mjs FOLDER      exit code 0 = all checks hold, 1 = one does not, 2 = usage
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { answerOn, isEnd, ready, shownImage } from "./annotation_driver.mjs";
import { launch, listen, runChecks } from "./page_driver.mjs";

const folder = process.argv[2];
if (!folder || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> node annotation_faults.mjs FOLDER");
  process.exit(2);
}
const HOME = "http://localhost:9";
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const file = (name) => fs.readFileSync(path.join(folder, name), "utf8");
const original = JSON.parse(/<script id="sheet-data" type="application\/json">(.*?)<\/script>/s.exec(file("sheet.html"))[1]);
const pixels = original.tasks.map(({ image }) => Buffer.from(image.split(",")[1], "base64"));
const browser = await launch();
const complaints = [];
const pattern = (image, question) => ["yes", "no", "not_sure"][(image * 2 + question) % 3];

// A server in memory. `fault(kind, body)` may return "drop" (no answer), "late" (done, but the answer is lost), "slow",
// or a status; `log` has every upsert in the order in which it was made durable.
function makeServer({ batches = ["b1"], fault = () => null, person = "Ann" } = {}) {
  const server = { token: "test-token", log: [], saved: new Map(), finished: [], images: new Set(), tasksOf: (batch) => batch + "-", isDown: false, fault, asked: 0 };
  const current = () => batches.find((batch) => !server.finished.includes(batch));
  const keyOf = (batch, task, question) => [batch, task, question].join("|");

  function sheet(batch) {
    const tasks = original.tasks.map((task, i) => {
      const name = `${batch}-${task.task}`;
      const given = original.questions.flatMap(({ id }) => (server.saved.get(keyOf(batch, name, id)) ? [[id, server.saved.get(keyOf(batch, name, id))]] : []));
      return { ...task, task: name, image: `/image/${i}`, answers: Object.fromEntries(given) };
    });
    return { ...original, batch, person, tasks, sheets_done: server.finished.length };
  }

  function save({ batch, task, question, answer }) {
    const key = keyOf(batch, task, question);
    if (server.finished.includes(batch)) return 409;
    server.log.push({ task, question, answer });
    if (answer === null) server.saved.delete(key); else server.saved.set(key, answer);
    return 204;
  }

  function act(kind, request) {
    if (kind === "sheet") return current() ? { status: 200, body: JSON.stringify(sheet(current())), contentType: "application/json" } : { status: 204 };
    if (request.headers()["x-csrf-token"] !== server.token) return { status: 403 };
    const body = request.postDataJSON();
    if (kind === "answers") return { status: save(body) };
    if (!server.finished.includes(body.batch)) server.finished.push(body.batch);
    return { status: 204 };
  }

  async function api(route, request, kind) {
    server.asked += 1;
    const fault = server.isDown ? "drop" : server.fault(kind, request);
    if (fault === "drop") return route.abort("connectionrefused");
    if (typeof fault === "number") return route.fulfill({ status: fault });
    if (fault === "slow") await new Promise((done) => setTimeout(done, 700));
    const answer = act(kind, request);
    return fault === "late" ? route.abort("connectionreset") : route.fulfill(answer);
  }

  server.handle = async (route, request) => {
    const { pathname } = new URL(request.url());
    const kind = /^\/api\/(\w+)$/.exec(pathname)?.[1];
    if (kind) return api(route, request, kind);
    if (server.isDown) return route.abort("connectionrefused");
    if (pathname.startsWith("/image/")) {
      server.images.add(Number(pathname.slice(7)));
      return route.fulfill({ contentType: "image/jpeg", body: pixels[Number(pathname.slice(7))] });
    }
    const served = { "/": ["app.html", "text/html; charset=utf-8"], "/app.js": ["app.js", "text/javascript"], "/style.css": ["style.css", "text/css"] }[pathname];
    if (!served) return route.fulfill({ status: 404 });
    const body = file(served[0]).replace('content="test-token"', `content="${server.token}"`);
    return route.fulfill({ contentType: served[1], headers: { "content-security-policy": POLICY }, body });
  };
  return server;
}

async function open(server, { context = null, instructed = true, goto = true } = {}) {
  const home = context ?? (await browser.newContext({ viewport: { width: 1280, height: 800 } }));
  if (!context) await home.route(HOME + "/**", server.handle);
  const page = await home.newPage();
  listen(page, (text) => /Failed to load resource|net::/.test(text) || complaints.push(text));
  page.on("request", (request) => request.url().startsWith(HOME) || complaints.push("request to " + request.url()));
  if (instructed) await page.addInitScript(() => { try { localStorage.setItem("hardset:instructed", "yes"); } catch { /* tried without storage */ } });
  if (goto) await page.goto(HOME + "/");
  return page;
}

const status = (page, pattern) => page.waitForFunction((text) => new RegExp(text).test(document.getElementById("status").textContent), pattern.source, { timeout: 40000 });
const saved = (page) => page.waitForSelector('#status[data-state="saved"]', { state: "attached", timeout: 40000 });
const message = async (page) => { await page.waitForSelector("#message:not([hidden])"); return page.locator("#message-title").textContent(); };

async function finish(page) {
  await page.waitForFunction(() => document.getElementById("finish").getAttribute("aria-disabled") === "false", null, { timeout: 60000 });
  await page.waitForTimeout(300); // a click right after the last answer is ignored
  await page.click("#finish");
}

// The server has exactly these answers, each as it was last given.
function assertSaved(server, batch, choose = pattern) {
  const wanted = original.tasks.flatMap(({ task }, i) => original.questions.map(({ id }, q) => [[batch, `${batch}-${task}`, id].join("|"), choose(i, q)]));
  const found = [...server.saved].filter(([key]) => key.startsWith(batch + "|"));
  assert.deepEqual(new Map(found), new Map(wanted));
}

const total = original.tasks.length * original.questions.length;

const checks = {
  async "two sheets, one request for each answer, in order; images are loaded ahead"() {
    const server = makeServer({ batches: ["b1", "b2"] });
    const page = await open(server, { instructed: false });
    await page.waitForSelector("#instructions[open]");
    await page.keyboard.press("Escape");
    await ready(page);
    await page.waitForTimeout(200);
    assert.deepEqual([...server.images], [0, 1, 2]);
    for (const batch of ["b1", "b2"]) {
      await answerOn(page, pattern);
      await finish(page);
      await page.waitForSelector(batch === "b1" ? "#sheet:not([hidden])" : "#message:not([hidden])");
      assertSaved(server, batch);
    }
    assert.equal(server.log.length, 2 * total, "no answer was sent twice");
    assert.deepEqual(server.log.slice(0, total).map(({ answer }) => answer), original.tasks.flatMap((_, i) => original.questions.map((_, q) => pattern(i, q))));
    assert.match(await message(page), /nothing left/);
    await page.context().close();
  },

  async "failures of every kind: lost requests, lost replies, errors, redirects to nowhere, slowness"() {
    let n = 0;
    const finishes = ["drop", 502, "slow"], kinds = [null, "drop", null, "late", 500, null, 503, "slow", 200, 429, null, 302];
    const server = makeServer({ fault: (kind) => (kind === "finish" ? finishes.shift() : kinds[n++ % kinds.length]) });
    const page = await open(server);
    await ready(page);
    await answerOn(page, pattern);
    await finish(page);
    assert.match(await message(page), /nothing left/);
    assertSaved(server, "b1");
    await page.context().close();
  },

  async "server away: answers wait in order, survive a reload and a closed tab, and the last one wins"() {
    const server = makeServer();
    const page = await open(server);
    await answerOn(page, pattern, 2);
    await saved(page);
    server.isDown = true;
    await answerOn(page, pattern, 3); // the images ahead are there
    await status(page, /Cannot reach the server.*not saved yet/);
    await page.keyboard.press("u"); // image 2, question 1 again
    await page.keyboard.press("u");
    await page.keyboard.press("s");
    const before = await shownImage(page);
    await page.close();
    assert.equal(server.log.length, 2);
    server.isDown = false;
    server.fault = (kind) => (kind === "sheet" ? null : 503);
    const again = await open(server, { context: page.context() });
    await ready(again);
    assert.equal(await shownImage(again), before, "what waits is shown as answered");
    await again.reload();
    await ready(again);
    server.fault = () => null;
    await saved(again);
    const late = server.log.slice(2);
    assert.deepEqual(late.filter(({ answer }) => answer !== null).map(({ answer }) => answer), [pattern(1, 0), "not_sure"]);
    assert.equal(new Set(late.map(({ task, question }) => task + question)).size, late.length, "one request for each question");
    await answerOn(again, pattern);
    await finish(again);
    await message(again);
    assertSaved(server, "b1", (i, q) => (i === 1 && q === 1 ? "not_sure" : pattern(i, q)));
    await page.context().close();
  },

  async "an answer that is changed while the old one is on its way arrives last"() {
    const server = makeServer({ fault: (kind) => (kind === "answers" ? "slow" : null) });
    const page = await open(server);
    await ready(page);
    await page.keyboard.press("y");
    await page.waitForTimeout(100);
    for (const key of ["u", "n", "u", "s"]) await page.keyboard.press(key);
    await saved(page);
    assert.deepEqual(server.log.map(({ answer }) => answer), ["yes", "not_sure"]);
    await page.keyboard.press("u");
    await page.waitForTimeout(50);
    await saved(page);
    await page.waitForTimeout(1000);
    assert.equal(server.log.at(-1).answer, null, "an answer taken back is withdrawn");
    assert.equal(server.saved.size, 0);
    await page.context().close();
  },

  async "a server started anew with another token"() {
    const server = makeServer();
    const page = await open(server);
    await answerOn(page, pattern, 2);
    server.token = "another";
    await answerOn(page, pattern);
    server.token = "a third";
    await finish(page);
    await message(page);
    assertSaved(server, "b1");
    await page.context().close();
  },

  async "a refused answer does not hold up the others, and blocks the finish"() {
    const server = makeServer();
    server.fault = (kind, request) => (kind === "answers" && request.postDataJSON().task === "b1-" + original.tasks[0].task ? 422 : null);
    const page = await open(server);
    await answerOn(page, pattern);
    await status(page, /did not take/);
    for (let wait = 0; wait < 100 && server.saved.size < total - original.questions.length; wait += 1) await page.waitForTimeout(100);
    assert.equal(server.saved.size, total - original.questions.length);
    assert.equal(await page.locator("#finish").getAttribute("aria-disabled"), "true");
    await page.locator("#finish").click({ force: true });
    assert.deepEqual(server.finished, []);
    server.fault = () => null;
    await saved(page);
    await finish(page);
    await message(page);
    assertSaved(server, "b1");
    await page.context().close();
  },

  async "a link that ended: said so, and the answers stay"() {
    const server = makeServer();
    const page = await open(server);
    await answerOn(page, pattern, 2);
    await saved(page);
    server.fault = () => 401;
    await page.keyboard.press("y");
    assert.match(await message(page), /no longer valid/);
    assert.match(await page.locator("#message-text").textContent(), /1 answer could not be saved.*kept in this browser/);
    const asked = server.asked;
    await page.waitForTimeout(1500);
    assert.equal(server.asked, asked, "it does not keep on asking");
    await page.reload();
    assert.match(await message(page), /no longer valid/);
    server.fault = () => null;
    await page.reload();
    await ready(page);
    await saved(page);
    assert.equal(server.saved.size, 3, "a valid link brings them home");
    await page.context().close();
  },

  async "the reply to the finish is lost; a click more does nothing; the next sheet comes"() {
    const server = makeServer({ batches: ["b1", "b2"] });
    let finishes = 0;
    server.fault = (kind) => (kind === "finish" && finishes++ === 0 ? "late" : null);
    const page = await open(server);
    await answerOn(page, pattern);
    await page.waitForTimeout(300);
    await page.locator("#finish").dblclick();
    await page.keyboard.press("ArrowLeft");
    await page.waitForSelector("#sheet:not([hidden])");
    await ready(page);
    assert.equal(await page.locator("#who").textContent(), "Sheet 2");
    assert.deepEqual(server.finished, ["b1"]);
    assert.equal(finishes, 2);
    assertSaved(server, "b1");
    await page.context().close();
  },

  async "a finish that is refused leaves the sheet as it is"() {
    const server = makeServer({ fault: (kind) => (kind === "finish" ? 409 : null) });
    const page = await open(server);
    await answerOn(page, pattern);
    await finish(page);
    await page.waitForFunction(() => /could not finish/.test(document.getElementById("end-note").textContent));
    assert.ok(await isEnd(page));
    server.fault = () => null;
    await finish(page);
    await message(page);
    await page.context().close();
  },

  async "a sheet that lacks an answer cannot be finished, and says so"() {
    const server = makeServer();
    let finishes = 0;
    server.fault = (kind) => { finishes += kind === "finish"; return null; };
    const page = await open(server);
    await answerOn(page, pattern);
    await saved(page);
    await page.waitForTimeout(300);
    await page.keyboard.press("u");
    await page.keyboard.press("ArrowRight");
    assert.ok(await isEnd(page));
    await saved(page);
    assert.equal(await page.locator("#finish").textContent(), "Finish (1 answer missing)");
    assert.equal(await page.locator("#finish").getAttribute("aria-disabled"), "true");
    await page.locator("#finish").click({ force: true });
    assert.ok(await isEnd(page));
    assert.equal(finishes, 0);
    await page.click("#end-back");
    await page.keyboard.press("s");
    await finish(page);
    await message(page);
    assert.deepEqual([server.saved.size, server.finished], [total, ["b1"]]);
    await page.context().close();
  },

  async "a queue of another run with the same names is left alone"() {
    const server = makeServer();
    const page = await open(server);
    await ready(page);
    const foreign = { x: { id: "1", task: "other", question: original.questions[0].id, answer: "yes" } };
    const key = "hardset:" + JSON.stringify(["queue", "b1", "Ann"]);
    await page.evaluate(([key, value]) => localStorage.setItem(key, value), [key, JSON.stringify(foreign)]);
    await page.reload();
    await answerOn(page, pattern);
    await finish(page);
    await message(page);
    assert.equal(server.log.length, total);
    assert.ok(server.log.every(({ task }) => task !== "other"));
    await page.context().close();
  },

  async "two tabs, server away: each question is sent once, as answered last"() {
    const server = makeServer();
    const one = await open(server), two = await open(server, { context: one.context() });
    await ready(one);
    await ready(two);
    server.isDown = true;
    await one.keyboard.press("y");
    await two.keyboard.press("n");
    await one.waitForTimeout(800);
    server.isDown = false;
    await saved(one);
    await saved(two);
    assert.equal([...server.saved.values()].join(), "no");
    await one.context().close();
  },

  async "without storage: nothing is lost while the page is open, and closing it warns"() {
    const server = makeServer();
    const page = await open(server, { instructed: false, goto: false });
    await page.addInitScript(() => Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } }));
    await page.goto(HOME + "/");
    await page.waitForSelector("#instructions[open]");
    await page.keyboard.press("Escape");
    await ready(page);
    server.isDown = true;
    await answerOn(page, pattern, 2);
    await status(page, /Keep this page open/);
    let asked = 0;
    page.on("dialog", async (dialog) => { asked += 1; await dialog.dismiss(); });
    await page.close({ runBeforeUnload: true });
    await page.waitForTimeout(300);
    assert.equal(asked, 1);
    server.isDown = false;
    await answerOn(page, pattern);
    await finish(page);
    await message(page);
    assertSaved(server, "b1");
    await page.context().close();
  },

  async "an image that fails comes with the second try"() {
    const server = makeServer();
    let fails = 2;
    const handle = server.handle;
    server.handle = (route, request) => (request.url().endsWith("/image/0") && fails-- > 0 ? route.abort("failed") : handle(route, request));
    const page = await open(server);
    await page.waitForSelector('#frame[data-state="broken"]');
    await page.keyboard.press("y");
    await page.click("#retry");
    await page.waitForSelector('#frame[data-state="broken"]');
    await page.click("#retry");
    await ready(page);
    assert.equal(server.log.length, 0);
    await page.context().close();
  },

  async "a server that is away at the start is waited for"() {
    const server = makeServer({ fault: () => 503 });
    const page = await open(server);
    await status(page, /Cannot reach/);
    server.fault = () => null;
    await ready(page);
    await page.context().close();
  },
};

const code = await runChecks(checks, complaints);
await browser.close();
process.exit(code);
