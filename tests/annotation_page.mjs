// Drives an annotation page from disk in Chromium: keys, clicks, reload, storage, download, dialogs, layout, policy.
//
// Does not compare pixels. Takes its images and questions from the page; wants at least four images and two questions.
// Needs: what `page_driver.mjs` needs. To make a page: HARDSET_SHEET_OUT=PAGE.html cargo test --release --lib annotate
// Usage: NODE_PATH=… node annotation_page.mjs PAGE.html      exit code 0 = all checks hold, 1 = one does not, 2 = usage
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { answerOn, askedQuestion, isEnd, ready, shownImage } from "./annotation_driver.mjs";
import { launch, listen, runChecks, runsForeignScript } from "./page_driver.mjs";

const file = process.argv[2];
if (!file || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> node annotation_page.mjs PAGE.html");
  process.exit(2);
}
const html = fs.readFileSync(file, "utf8");
const embedded = /(<script id="sheet-data" type="application\/json">)(.*?)(<\/script>)/s;
const sheet = JSON.parse(embedded.exec(html)[2]);
const { tasks, questions } = sheet;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "hardset-page-"));
const browser = await launch();
const complaints = [];

// Another sheet in the same page: the policy covers style and script, not the data.
function variant(name, change) {
  const changed = structuredClone(sheet);
  change(changed);
  const text = html.replace(embedded, (_, open, __, close) => open + JSON.stringify(changed).replaceAll("<", "\\u003c") + close);
  fs.writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
}

async function open({ width = 1280, height = 800, at = file, person = "Ann/1", context = null, storage = true, ...options } = {}) {
  const home = context ?? (await browser.newContext({ viewport: { width, height }, ...options }));
  const page = await home.newPage();
  listen(page, (text) => complaints.push(text));
  page.on("request", (request) => /^(data|file|blob):/.test(request.url()) || complaints.push("request to " + request.url()));
  if (!storage) await page.addInitScript(() => Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } }));
  await page.goto(pathToFileURL(path.resolve(at)).href);
  if (person && (await page.locator("#name").isVisible())) await begin(page, person);
  return page;
}

async function begin(page, person) {
  await page.fill("#person", person);
  await page.keyboard.press("Enter");
  if (await isOpen(page, "instructions")) await page.keyboard.press("Escape");
}

const isOpen = (page, id) => page.locator("#" + id).evaluate((dialog) => dialog.open);
const pattern = (image, question) => ["yes", "no", "not_sure"][(image * 2 + question) % 3];
const current = async (page) => [await shownImage(page), await askedQuestion(page)];
const pressed = (page) => page.evaluate(() => [...document.querySelectorAll(".question")].map((box) => box.querySelector('[aria-pressed="true"]')?.dataset.answer ?? null));

async function press(page, ...keys) {
  for (const key of keys) {
    if (!(await isEnd(page))) await ready(page);
    await page.keyboard.press(key);
  }
}

// The lines of the file that "Save answers" gives.
async function download(page, button = "#save") {
  if (button === "#finish") await page.waitForTimeout(300); // a click right after the last answer is ignored
  const [saved] = await Promise.all([page.waitForEvent("download", { timeout: 5000 }), page.click(button)]);
  const target = path.join(folder, "answers.jsonl");
  await saved.saveAs(target);
  const text = fs.readFileSync(target, "utf8");
  assert.ok(text === "" || text.endsWith("\n"));
  return { name: saved.suggestedFilename(), lines: text.split("\n").filter(Boolean).map((line) => JSON.parse(line)) };
}

// Answers in the download as `image.question=answer`, in order.
const brief = ({ lines }) => lines.map((line) => `${tasks.findIndex(({ task }) => task === line.task)}.${questions.findIndex(({ id }) => id === line.question)}=${line.answer}`);

function assertLine(line, person) {
  assert.deepEqual(Object.keys(line), ["format", "batch", "person", "task", "question", "answer", "at"]);
  assert.equal(line.format, "hardset-answers-1");
  assert.equal(line.batch, sheet.batch);
  assert.equal(line.person, person);
  assert.match(line.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
}

const expected = (choose) => tasks.flatMap((_, i) => questions.map((_, q) => `${i}.${q}=${choose(i, q)}`));

// Contrast of every visible text with what lies behind it (WCAG 2.2, relative luminance), below 4.5.
function lowContrast() {
  const channel = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  function behind(element) {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] !== 0) return color;
    }
    return [255, 255, 255];
  }
  const texts = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility({ visibilityProperty: true }) && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return texts.flatMap((element) => {
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    return ratio < 4.5 ? [`${element.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`] : [];
  });
}

// What must hold of the layout whatever the window: nothing sideways, the image alone in its place, buttons for thumbs.
async function assertLayout(page, label) {
  await ready(page);
  const found = await page.evaluate(() => {
    const rect = (element) => element.getBoundingClientRect();
    const image = rect(document.getElementById("frame"));
    const others = [...document.querySelectorAll("#top, .question, #moves")].map(rect);
    const buttons = [...document.querySelectorAll("#panel button, #top button")].filter((b) => b.checkVisibility());
    return {
      scroll: document.documentElement.scrollWidth - innerWidth,
      covered: others.some((r) => r.left < image.right - 1 && r.right > image.left + 1 && r.top < image.bottom - 1 && r.bottom > image.top + 1),
      image: [image.width, image.height],
      small: buttons.map((b) => [b.textContent, rect(b).height, rect(b).width]).filter(([, h, w]) => h < 44 || w < 44),
      below: Math.max(...others.map((r) => r.bottom)) - innerHeight,
    };
  });
  assert.ok(found.scroll <= 0, `${label}: ${found.scroll} px sideways`);
  assert.equal(found.covered, false, `${label}: something covers the image`);
  assert.deepEqual(found.small, [], `${label}: too small for a thumb`);
  assert.ok(found.image[1] >= 130 && found.image[0] >= 200, `${label}: image only ${found.image}`);
  return found;
}

const checks = {
  async "a whole sheet by keyboard; the file has every answer once"() {
    const page = await open();
    assert.equal(await answerOn(page, pattern), tasks.length * questions.length);
    assert.match(await page.locator("#summary").textContent(), new RegExp(`all ${tasks.length * questions.length} questions`));
    const saved = await download(page, "#finish");
    assert.equal(saved.name, `answers-${sheet.batch}-Ann_1.jsonl`);
    for (const line of saved.lines) assertLine(line, "Ann/1");
    assert.deepEqual(brief(saved), expected(pattern));
    assert.deepEqual(brief(await download(page)), expected(pattern), "a second download says the same");
    await page.context().close();
  },

  async "answers can be saved at any time, also none"() {
    const page = await open();
    assert.deepEqual((await download(page)).lines, []);
    await press(page, "y", "n", "s");
    assert.deepEqual(brief(await download(page)), ["0.0=yes", "0.1=no", "1.0=not_sure"]);
    await page.context().close();
  },

  async "undo takes back one answer after another, across images, to what was there before"() {
    const page = await open();
    await press(page, "y", "n", "s");
    await press(page, "u");
    assert.deepEqual(await current(page), [1, 0]);
    await press(page, "Backspace");
    assert.deepEqual(await current(page), [0, 1]);
    assert.deepEqual(await pressed(page).then((p) => p.slice(0, 2)), ["yes", null]);
    assert.deepEqual(brief(await download(page)), ["0.0=yes"]);
    await press(page, "s", "ArrowLeft", "ArrowUp", "n");
    assert.deepEqual(await pressed(page).then((p) => p.slice(0, 2)), ["no", "not_sure"]);
    await press(page, "u");
    assert.deepEqual(await pressed(page).then((p) => p.slice(0, 2)), ["yes", "not_sure"], "the changed answer is back");
    await page.context().close();
  },

  async "back and forward; a changed answer replaces the old one"() {
    const page = await open();
    await answerOn(page, pattern, 3 * questions.length);
    await press(page, "ArrowLeft", "ArrowLeft");
    assert.deepEqual(await current(page), [1, 0]);
    for (const _ of questions) await press(page, "y");
    assert.equal(await shownImage(page), 2, "after the last question the next image");
    await press(page, "ArrowRight");
    await answerOn(page, pattern);
    assert.deepEqual(brief(await download(page)), expected((i, q) => (i === 1 ? "yes" : pattern(i, q))));
    await page.context().close();
  },

  async "an image that was skipped is found again from the end"() {
    const page = await open();
    await press(page, "ArrowRight");
    await answerOn(page, pattern, (tasks.length - 1) * questions.length);
    if (await isEnd(page)) await page.click("#open-list button");
    assert.equal(await shownImage(page), 0);
    await press(page, "ArrowRight");
    for (let i = 1; i < tasks.length; i += 1) await press(page, "ArrowRight");
    assert.match(await page.locator("#summary").textContent(), new RegExp(`Missing: ${questions.length} answers`));
    assert.equal(await page.locator("#open-list button").count(), 1);
    await page.waitForTimeout(300); // a click right after the last answer is ignored
    await page.click("#open-list button");
    await page.waitForSelector("#sheet:not([hidden])");
    await answerOn(page, pattern);
    assert.deepEqual(brief(await download(page, "#finish")), expected(pattern));
    await page.context().close();
  },

  async "a reload and a new tab in the middle lose nothing"() {
    const page = await open(), half = questions.length * 2 + 1;
    await answerOn(page, pattern, half);
    await page.reload();
    await ready(page);
    assert.deepEqual(await current(page), [2, 1]);
    assert.equal(await isOpen(page, "instructions"), false, "instructions are shown once");
    await press(page, "u");
    assert.deepEqual(await current(page), [2, 0], "undo works after a reload too");
    await press(page, "y");
    await page.close();
    const again = await open({ context: page.context() });
    await ready(again);
    assert.deepEqual(await current(again), [2, 1]);
    await answerOn(again, pattern);
    assert.deepEqual(brief(await download(again, "#finish")), expected((i, q) => (i === 2 && q === 0 ? "yes" : pattern(i, q))));
    await page.context().close();
  },

  async "two people at one browser have answers of their own"() {
    const page = await open();
    await press(page, "y");
    await page.click("#rename");
    assert.equal(await page.inputValue("#person"), "Ann/1");
    await begin(page, "Bob");
    await ready(page);
    assert.deepEqual(await current(page), [0, 0]);
    await press(page, "n", "n");
    const saved = await download(page);
    assert.deepEqual(brief(saved), ["0.0=no", "0.1=no"]);
    for (const line of saved.lines) assertLine(line, "Bob");
    await page.click("#rename");
    await begin(page, " Ann/1 ");
    assert.deepEqual(brief(await download(page)), ["0.0=yes"]);
    await page.context().close();
  },

  async "two tabs with one sheet keep each other's answers"() {
    const one = await open(), two = await open({ context: one.context() });
    await ready(two);
    await press(one, "y");
    await press(two, "ArrowRight", "n");
    await press(one, "s");
    for (const page of [one, two]) assert.deepEqual(brief(await download(page)), ["0.0=yes", "0.1=not_sure", "1.0=no"]);
    await one.context().close();
  },

  async "a double click answers one image, and a held key one question"() {
    const page = await open(), last = questions.length - 1;
    for (let q = 0; q < last; q += 1) await press(page, "y");
    await page.locator(`[data-question="${last}"][data-answer="no"]`).dblclick();
    await page.waitForTimeout(300);
    assert.equal(await shownImage(page), 1);
    assert.ok((await pressed(page)).every((answer) => answer === null), "the new image has no answer");
    await page.locator('[data-question="0"][data-answer="yes"]').dblclick();
    assert.deepEqual(await pressed(page).then((p) => p.slice(0, 2)), ["yes", null], "nor another question of the same image");
    for (let i = 0; i < 5; i += 1) await page.keyboard.down("s"); // the second and later ones repeat
    await page.keyboard.up("s");
    assert.equal(brief(await download(page)).length, questions.length + 2);
    await page.locator('.question.current [data-answer="yes"]').focus();
    const before = brief(await download(page)).length;
    await page.locator('.question.current [data-answer="yes"]').focus();
    for (let i = 0; i < 5; i += 1) await page.keyboard.down("Enter");
    await page.keyboard.up("Enter");
    assert.equal(brief(await download(page)).length, before + 1, "a held Enter key on a button");
    await page.context().close();
  },

  async "clicks answer too, in any order"() {
    const page = await open(), last = questions.length - 1;
    await ready(page);
    for (let q = last; q >= 0; q -= 1) {
      await page.waitForTimeout(260);
      await page.locator(`[data-question="${q}"][data-answer="not_sure"]`).click();
    }
    await page.waitForFunction(() => document.getElementById("place").textContent.startsWith("2 "));
    assert.deepEqual(brief(await download(page)), questions.map((_, q) => `0.${q}=not_sure`));
    await page.context().close();
  },

  async "keys with ctrl, alt or meta, and keys typed into a field, are not answers"() {
    const page = await open({ person: null });
    await page.keyboard.type("yns?uzih");
    assert.equal(await page.inputValue("#person"), "yns?uzih");
    await begin(page, "y");
    await press(page, "Control+y", "Alt+n", "Meta+s", "Alt+ArrowRight");
    assert.deepEqual((await download(page)).lines, []);
    await press(page, "Shift+Y", "?");
    assert.deepEqual(brief(await download(page)), ["0.0=yes", "0.1=not_sure"]);
    await page.context().close();
  },

  async "the enlarged image opens by key, click and Enter, and is at least its full size"() {
    const page = await open();
    await ready(page);
    await page.keyboard.press("z");
    assert.ok(await isOpen(page, "zoom"));
    const [shown, full, sheetWidth] = await page.evaluate(() => {
      const image = document.querySelector("#zoom img");
      return [image.getBoundingClientRect().width, image.naturalWidth, document.querySelector("#picture img").naturalWidth];
    });
    assert.ok(shown >= full - 1 && full === sheetWidth, `${shown} of ${full}`);
    await page.keyboard.press("y");
    assert.deepEqual((await download2(page)).lines, [], "no answers while the question is out of sight");
    for (const close of ["z", "Escape"]) {
      if (!(await isOpen(page, "zoom"))) await page.keyboard.press("z");
      await page.keyboard.press(close);
      assert.equal(await isOpen(page, "zoom"), false, close);
    }
    await page.locator("#picture").dblclick();
    assert.ok(await isOpen(page, "zoom"), "a double click does not close it again");
    await page.waitForTimeout(300);
    await page.locator("#zoom img").click();
    assert.equal(await isOpen(page, "zoom"), false);
    assert.equal(await page.evaluate(() => document.activeElement.id), "picture", "the focus is where it was");
    await press(page, "y");
    assert.deepEqual(brief(await download(page)), ["0.0=yes"]);
    await page.context().close();
  },

  async "instructions come first, once, and by i; keys by h; Escape closes"() {
    const page = await open({ person: null });
    await page.fill("#person", "Ann");
    await page.click("#name-form button");
    assert.ok(await isOpen(page, "instructions"));
    await page.keyboard.press("Enter");
    assert.equal(await isOpen(page, "instructions"), false, "the focus lies on the button that begins");
    for (const [key, id] of [["i", "instructions"], ["h", "help"]]) {
      await press(page, key);
      assert.ok(await isOpen(page, id), id);
      await page.keyboard.press("y");
      await page.keyboard.press("z");
      assert.equal(await isOpen(page, "zoom"), false);
      await page.keyboard.press("Escape");
      assert.equal(await isOpen(page, id), false);
      await press(page, key, key);
      assert.equal(await isOpen(page, id), false, "the same key closes");
    }
    assert.deepEqual((await download(page)).lines, []);
    await page.context().close();
  },

  async "the focus follows the question and every button has a name and a group"() {
    const page = await open();
    await press(page, "y");
    assert.equal(await page.evaluate(() => document.activeElement.id), "question-1");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await ready(page);
    assert.deepEqual(await current(page), questions.length === 2 ? [1, 0] : [0, 2]);
    const tree = await page.locator("#app").ariaSnapshot();
    const name = questions[0].text.replaceAll("{category}", tasks[1].category);
    assert.ok(tree.includes(`group "${name.replaceAll('"', '\\"')}"`) || tree.includes(name), tree);
    assert.match(tree, /button "Yes"/);
    assert.match(tree, /img "Image to judge"|Image to judge, enlarge/);
    const lives = await page.evaluate(() => [...document.querySelectorAll("[aria-live]")].map((e) => e.id));
    assert.deepEqual(lives, ["status", "announcer"]);
    await page.waitForFunction(() => document.getElementById("announcer").textContent.startsWith("Image 2 of"));
    await page.context().close();
  },

  async "names are text, whatever is in them"() {
    const evil = "</script><img src=x onerror=alert(1)><b>\"'&";
    const at = variant("evil.html", (s) => { for (const task of s.tasks) { task.category = evil; task.gloss = evil; } });
    const page = await open({ at });
    await ready(page);
    assert.ok((await page.locator("#question-0").textContent()).includes(evil));
    assert.ok((await page.locator("#gloss-0").textContent()).includes(evil));
    assert.equal(await page.locator("#questions b, #questions img").count(), 0);
    await page.context().close();
  },

  async "an image that does not load says so, takes no answer, and can be tried again"() {
    const at = variant("broken.html", (s) => { s.tasks[1].image = "data:image/jpeg;base64,AAAA"; });
    const page = await open({ at });
    for (const _ of questions) await press(page, "y");
    await page.waitForSelector('#frame[data-state="broken"]');
    assert.ok(await page.locator("#broken").isVisible());
    await page.keyboard.press("y");
    await page.click("#retry");
    await page.waitForSelector('#frame[data-state="broken"]');
    assert.equal((await download(page)).lines.length, questions.length);
    await page.keyboard.press("ArrowRight");
    await ready(page);
    assert.equal(await shownImage(page), 2, "one can go on");
    await page.context().close();
  },

  async "answers that came with the sheet are shown, kept and can be changed"() {
    const at = variant("given.html", (s) => {
      s.person = "Cleo";
      s.tasks.slice(0, 2).forEach((task) => { for (const { id } of s.questions) task.answers[id] = "no"; });
    });
    const page = await open({ at });
    assert.equal(await page.locator("#name").isVisible(), false, "the sheet says who it is for");
    await page.keyboard.press("Escape");
    await ready(page);
    assert.equal(await shownImage(page), 2);
    assert.equal(await page.locator("#rename").isVisible(), false);
    await press(page, "ArrowLeft", "y", "u", "u");
    const saved = await download(page);
    for (const line of saved.lines) assertLine(line, "Cleo");
    const given = [0, 1].flatMap((i) => questions.map((_, q) => `${i}.${q}=no`));
    assert.deepEqual(brief(saved), given.filter((line) => !line.startsWith("1.0")));
    await page.reload();
    await ready(page);
    assert.deepEqual(brief(await download(page)), brief(saved), "an answer taken back stays taken back");
    await page.context().close();
  },

  async "without storage it works, says so, and warns before it closes"() {
    const page = await open({ storage: false });
    assert.match(await page.locator("#status").textContent(), /does not keep your progress/);
    await answerOn(page, pattern);
    let asked = 0;
    page.on("dialog", async (dialog) => { asked += 1; await dialog.dismiss(); });
    await page.close({ runBeforeUnload: true });
    await page.waitForTimeout(300);
    assert.equal(asked, 1, "unsaved answers are not lost silently");
    assert.deepEqual(brief(await download(page, "#finish")), expected(pattern));
    await Promise.all([page.waitForEvent("close", { timeout: 5000 }), page.close({ runBeforeUnload: true })]);
    assert.equal(asked, 1, "saved answers need no warning");
    await page.context().close();
  },

  async "storage that is full, or damaged, does not stop the work"() {
    const full = await open({ person: null });
    await full.evaluate(() => { Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); }; });
    await begin(full, "Ann");
    await press(full, "y");
    assert.match(await full.locator("#status").textContent(), /does not keep your progress/);
    assert.deepEqual(brief(await download(full)), ["0.0=yes"]);
    await full.context().close();
    const damaged = await open();
    await press(damaged, "y");
    await damaged.evaluate(() => { for (const key of Object.keys(localStorage)) localStorage.setItem(key, "{oops"); });
    await damaged.reload();
    await begin(damaged, "Ann/1");
    await press(damaged, "n");
    assert.deepEqual(brief(await download(damaged)), ["0.0=no"]);
    await damaged.context().close();
  },

  async "storage that is emptied under the page is written again"() {
    const page = await open();
    await press(page, "y");
    await page.evaluate(() => localStorage.clear());
    await press(page, "n");
    assert.deepEqual(brief(await download(page)), ["0.0=yes", "0.1=no"]);
    await page.context().close();
  },

  async "layout: nothing sideways, the image uncovered, buttons for thumbs"() {
    const four = variant("four.html", (s) => {
      s.questions.push({ id: "q3", text: "Is the {category} shown whole, from head to tail, without anything before it?" }, { id: "q4", text: "Is it a photograph?" });
      s.tasks[0].category = "Donaudampfschifffahrtsgesellschaftskapitänsmützenhalterung".repeat(2);
    });
    for (const [width, height, at] of [[1280, 800, file], [1024, 640, file], [390, 844, file], [360, 640, file], [320, 568, four], [844, 390, file], [390, 844, four], [1280, 700, four]]) {
      const page = await open({ width, height, at });
      const { below, image } = await assertLayout(page, `${width} x ${height} ${path.basename(at)}`);
      if (width === 390 && at === file) assert.ok(below <= 0 && image[1] > 250, `all of it fits on a phone: ${below} below, image ${image}`);
      for (let i = 0; i < tasks.length; i += 1) await page.keyboard.press("ArrowRight");
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, "the end");
      await page.context().close();
    }
  },

  async "a thumb alone can do it"() {
    const page = await open({ width: 390, height: 844, hasTouch: true, isMobile: true });
    await ready(page);
    await page.tap("#picture");
    assert.ok(await isOpen(page, "zoom"));
    await page.waitForTimeout(300);
    await page.tap("[data-close] >> visible=true");
    assert.equal(await isOpen(page, "zoom"), false);
    for (let image = 0; image < tasks.length; image += 1)
      for (let q = 0; q < questions.length; q += 1) {
        await ready(page);
        if (q === 0 && image) await page.waitForTimeout(260);
        await page.tap(`[data-question="${q}"][data-answer="${pattern(image, q)}"]`);
      }
    assert.ok(await isEnd(page));
    assert.deepEqual(brief(await download(page, "#save")), expected(pattern));
    await page.context().close();
  },

  async "contrast is at least 4.5, light and dark, on every screen"() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ colorScheme, person: null, reducedMotion: "reduce" });
      const low = [...(await page.evaluate(lowContrast))];
      await begin(page, "Ann");
      await press(page, "y");
      low.push(...(await page.evaluate(lowContrast)));
      for (const key of ["h", "z"]) {
        await page.keyboard.press(key);
        low.push(...(await page.evaluate(lowContrast)));
        await page.keyboard.press("Escape");
      }
      for (let i = 0; i < tasks.length; i += 1) await page.keyboard.press("ArrowRight");
      low.push(...(await page.evaluate(lowContrast)));
      assert.deepEqual(low, [], colorScheme);
      await page.context().close();
    }
  },

  async "the policy stops a foreign script"() {
    const page = await open();
    assert.equal(await runsForeignScript(page, complaints), false);
    await page.context().close();
  },
};

// The file, while a dialog lies over the button.
async function download2(page) {
  const [saved] = await Promise.all([page.waitForEvent("download"), page.evaluate(() => document.getElementById("save").click())]);
  const text = fs.readFileSync(await saved.path(), "utf8");
  return { lines: text.split("\n").filter(Boolean) };
}

const code = await runChecks(checks, complaints);
await browser.close();
fs.rmSync(folder, { recursive: true });
process.exit(code);
