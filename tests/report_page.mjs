// Drives a rendered report in Chromium: filters, sorting, URL fragment, keyboard, dialogs, layout, policy.
//
// Does not compare pixels and does not know what is in the report: it takes its search words from the page.
// Needs: what `page_driver.mjs` needs.
// Usage: NODE_PATH=… node report_page.mjs PAGE.html      exit code 0 = all checks hold, 1 = one does not, 2 = usage
import assert from "node:assert/strict";
import { brokenImages, focused, reader, runChecks, runsForeignScript, viewing, visible } from "./page_driver.mjs";

const file = process.argv[2];
if (!file || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> node report_page.mjs PAGE.html");
  process.exit(2);
}
const { browser, complaints, open } = await reader(file);

const settle = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

async function fill(page, name, value) {
  const field = page.locator(`#filters [name="${name}"]`);
  if (await field.evaluate((element) => element.tagName === "SELECT")) await field.selectOption(value);
  else await field.fill(value);
  await settle(page);
}

const probe = await open();
const all = await visible(probe);
await probe.close();

const checks = {
  async "no sideways scrolling at 1280 and 400 px"() {
    for (const width of [1280, 400]) {
      const page = await open({ width });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `at ${width} px`);
      await page.close();
    }
  },

  async "every card shows without JavaScript"() {
    const page = await open({ javaScriptEnabled: false });
    assert.equal(await page.locator(".card").count(), await visible(page));
    assert.equal(await page.locator("#filters").isVisible(), false);
    await page.close();
  },

  async "images decode"(page) {
    assert.equal(await brokenImages(page), 0);
  },

  async "filters narrow, count and reset"(page) {
    const first = page.locator(".card").first();
    const category = await first.getAttribute("data-cat"), failed = await first.getAttribute("data-failed");
    await fill(page, "cat", category);
    const inCategory = await page.evaluate((c) => [...document.querySelectorAll(".card")].filter((card) => card.dataset.cat === c).length, category);
    assert.equal(await visible(page), inCategory);
    await fill(page, "n", failed);
    assert.ok((await visible(page)) <= inCategory && (await visible(page)) >= 1);
    assert.match(await page.locator("#shown").textContent(), /^[\d,]+ (of [\d,]+ )?images$/);
    assert.ok(new URL(page.url()).hash.includes("cat="), "the fragment keeps the filters");
    await fill(page, "q", "no such image anywhere");
    assert.equal(await visible(page), 0);
    await page.locator("#none [data-reset]").click();
    assert.equal(await visible(page), all);
    assert.equal(new URL(page.url()).hash, "");
  },

  async "images of one kind of nuisance can be shown alone, where there are several"(page) {
    const kinds = await page.locator('#filters [name="kind"] option').evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
    const field = page.locator('#filters [name="kind"]');
    assert.equal(await field.isVisible(), kinds.length > 1);
    if (kinds.length < 2) return;
    let sum = 0;
    for (const kind of kinds) {
      await fill(page, "kind", kind);
      const here = await visible(page);
      assert.equal(here, await page.locator(`.card[data-kind="${kind}"]`).count());
      sum += here;
    }
    assert.equal(sum, all, "every image has one kind");
    assert.match(await page.locator(".card:not([hidden]) .prompt").first().textContent(), /\w+ \w+/, "cards show prompts");
  },

  async "groups stand apart and can be shown alone"(page) {
    let sum = 0;
    for (const group of ["scatter", "agree"]) {
      await fill(page, "group", group);
      sum += await visible(page);
    }
    assert.equal(sum, all);
  },

  async "sorting by true probability and back"(page) {
    const values = () => page.evaluate(() => [...document.querySelector(".cards").children].map((card) => Number(card.dataset.p)));
    const before = await values();
    await fill(page, "sort", "p");
    assert.deepEqual(await values(), [...before].sort((a, b) => a - b));
    await fill(page, "sort", "");
    assert.deepEqual(await values(), before);
  },

  async "a URL with filters opens filtered, a link in a table filters too"() {
    const page = await open({ fragment: "#q=no+such+image" });
    assert.equal(await visible(page), 0);
    const link = page.locator('#categories a[href^="#cat="], section a[href^="#cat="]').first();
    await link.click();
    await settle(page);
    assert.ok((await visible(page)) > 0);
    await page.close();
  },

  async "keys: search, move, larger view, close, help"(page) {
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.name), "q");
    await page.keyboard.type("j");
    assert.equal(await page.inputValue('[name="q"]'), "j", "keys typed into a field are text");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Escape");
    await settle(page);
    await page.keyboard.press("j");
    assert.equal(await focused(page), 0);
    await page.keyboard.press("j");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(page), Math.min(2, all - 1));
    await page.keyboard.press("k");
    const at = await focused(page);
    assert.ok(await page.evaluate(() => document.activeElement.closest(".card").matches(":has(:focus-visible)")), "focus is visible");
    await page.keyboard.press("Enter");
    assert.ok(await viewing(page));
    assert.ok((await page.locator("#viewer .verdicts li").count()) > 0);
    await page.keyboard.press("j");
    await page.keyboard.press("Escape");
    await settle(page);
    assert.equal(await viewing(page), false);
    assert.equal(await focused(page), Math.min(at + 1, all - 1), "focus returns to the image last viewed");
    await page.keyboard.press("?");
    assert.ok(await page.locator("#help").evaluate((dialog) => dialog.open));
    await page.locator("#single-keys").uncheck();
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    assert.equal(await page.locator("#help").evaluate((dialog) => dialog.open), false, "single keys can be switched off");
  },

  async "a click opens the larger view, a click beside it closes it"(page) {
    await page.locator(".card h4").first().click();
    assert.ok(await viewing(page));
    await page.mouse.click(3, 3);
    assert.equal(await viewing(page), false);
  },

  async "filtering stays fast"(page) {
    const ms = await page.evaluate(() => {
      const form = document.getElementById("filters"), start = performance.now();
      form.elements.q.value = "a";
      form.dispatchEvent(new Event("input"));
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start))));
    });
    console.log(`     one search: ${ms.toFixed(0)} ms`);
    assert.ok(ms < 1000, `${ms} ms`);
  },

  async "the policy stops a foreign script"(page) {
    assert.equal(await runsForeignScript(page, complaints), false);
  },
};

const alwaysTrue = ["no sideways scrolling at 1280 and 400 px", "the policy stops a foreign script"];
const wanted = Object.fromEntries(Object.entries(checks).filter(([name]) => all > 0 || alwaysTrue.includes(name)));
const code = await runChecks(wanted, complaints, { open, what: `${all} images; ` });
await browser.close();
process.exit(code);
