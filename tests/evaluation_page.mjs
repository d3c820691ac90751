// Drives the pages of an evaluation in Chromium: layout, keyboard, larger view, the two choosers, dark mode, policy.
//
// Does not compare pixels and does not know what was evaluated: names come from the page. A page of `compare` or
// `leaderboard` has fewer parts; checks of parts that a page lacks are left out, and the last line counts them.
// Needs: what `page_driver.mjs` needs.
// Usage: NODE_PATH=… node evaluation_page.mjs PAGE.html      exit code 0 = all checks hold, 1 = one does not, 2 = usage
import assert from "node:assert/strict";
import { brokenImages, focused, reader, runChecks, runsForeignScript, viewing, visible } from "./page_driver.mjs";

const file = process.argv[2];
if (!file || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> node evaluation_page.mjs PAGE.html");
  process.exit(2);
}
const { browser, complaints, open } = await reader(file);

const pairs = (page) => page.locator("#pair-table tbody tr:not([hidden])");
const choose = (page, field, name) => page.locator(`#pair-filter [name="${field}"]`).selectOption(name);

/** The least contrast of text against what lies behind it, over the elements that have text of their own. */
const leastContrast = (page) => page.evaluate(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  let least = { contrast: 99, text: "" };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(" ").trim();
    if (!own || !element.checkVisibility() || element.closest(".hidden, .skip, script, style, title, option")) continue;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest("svg") ? style.fill : style.color);
    const [light, dark] = [luminance(ink), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < least.contrast) least = { contrast, text: own.slice(0, 40) };
  }
  return least;
});

const probe = await open();
const cards = await visible(probe);
const targets = await probe.locator('#pair-filter [name="a"] option').evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
await probe.close();

const checks = {
  async "no sideways scrolling at 1280 and 400 px, and no words outside the window"() {
    for (const width of [1280, 400]) {
      const page = await open({ width });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `at ${width} px`);
      const outside = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3, h4, p, dd, dt, li, select")]
        .filter((element) => !element.closest(".scroll, .hidden, .skip, [hidden], dialog") && element.checkVisibility())
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5).map((element) => element.textContent.slice(0, 40)));
      assert.deepEqual(outside, [], `at ${width} px`);
      await page.close();
    }
  },

  async "words are readable in light and in dark"() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ colorScheme });
      const { contrast, text } = await leastContrast(page);
      console.log(`     least contrast, ${colorScheme}: ${contrast.toFixed(2)}`);
      assert.ok(contrast >= 4.5, `${colorScheme}: ${contrast.toFixed(2)} for "${text}"`);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(paper === "rgb(255, 255, 255)", colorScheme === "light", paper);
      await page.close();
    }
  },

  async "everything shows without JavaScript"() {
    const page = await open({ javaScriptEnabled: false });
    assert.equal(await page.locator(".card").count(), cards);
    assert.equal(await visible(page), cards);
    assert.equal(await page.locator("#pair-filter").isVisible(), false);
    await page.close();
  },

  async "links of the head lead to sections, and ids are unique"(page) {
    const { missing, twice } = await page.evaluate(() => {
      const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
      const links = [...document.querySelectorAll('a[href^="#"]')].map((link) => link.getAttribute("href").slice(1));
      return { missing: links.filter((id) => !document.getElementById(id)), twice: ids.filter((id, at) => ids.indexOf(id) !== at) };
    });
    assert.deepEqual([missing, twice], [[], []]);
  },

  async "boxes that scroll can be reached by the keyboard, and have names"() {
    const page = await open({ width: 400 });
    const bad = await page.evaluate(() => [...document.querySelectorAll(".scroll")]
      .filter((box) => box.scrollWidth > box.clientWidth && (box.tabIndex !== 0 || !box.getAttribute("aria-label"))).length);
    assert.equal(bad, 0);
    await page.close();
  },

  async "the policy stops a foreign script"(page) {
    assert.equal(await runsForeignScript(page, complaints), false);
  },
};

const ofCards = {
  async "images decode"(page) {
    assert.equal(await brokenImages(page), 0);
  },

  async "keys: move, larger view, close; focus is seen and comes back"(page) {
    await page.keyboard.press("j");
    assert.equal(await focused(page), 0);
    await page.keyboard.press("j");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(page), Math.min(2, cards - 1));
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("k");
    const at = await focused(page);
    assert.equal(at, Math.max(0, Math.min(2, cards - 1) - 2));
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement.closest(".card")).outlineWidth);
    assert.equal(outline, "3px", "the focus is seen");
    await page.keyboard.press("Enter");
    assert.ok(await viewing(page));
    assert.ok((await page.locator("#viewer :is(.verdicts li, .said div)").count()) > 0, "it says what the targets said");
    assert.match(await page.locator("#viewer .place").textContent(), /^1 of \d+$/);
    await page.keyboard.press("j");
    await page.keyboard.press("Escape");
    assert.equal(await viewing(page), false);
    assert.equal(await focused(page), Math.min(at + 1, cards - 1), "focus returns to the image last viewed");
  },

  async "a click opens the larger view, a click beside it closes it"(page) {
    await page.locator(".card h4").first().click();
    assert.ok(await viewing(page));
    await page.mouse.click(3, 3);
    assert.equal(await viewing(page), false);
  },

  async "the larger view fits a phone"() {
    const page = await open({ width: 400 });
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    const box = await page.locator("#viewer").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 400, JSON.stringify(box));
    assert.ok(await page.locator("#viewer [data-close]").isVisible());
    await page.close();
  },
};

const ofPairs = {
  async "the two choosers narrow the table and the images, and widen them again"(page) {
    const all = await pairs(page).count();
    const [a, b] = targets;
    await choose(page, "a", a);
    assert.equal(await pairs(page).count(), targets.length - 1, "the pairs of one target");
    assert.equal(await visible(page), cards, "one target alone parts nothing");
    await choose(page, "b", b);
    assert.equal(await pairs(page).count(), 1);
    const words = await pairs(page).first().textContent();
    assert.ok(words.includes(a) && words.includes(b), words);
    const parted = await page.evaluate(([a, b]) => [...document.querySelectorAll(".card")]
      .filter((card) => [a, b].filter((name) => JSON.parse(card.dataset.right).includes(name)).length === 1).length, [a, b]);
    assert.equal(await visible(page), parted);
    if (cards) assert.equal(await page.locator("#no-card").isVisible(), parted === 0);
    assert.equal(await page.locator(".group:not([hidden]):not(:has(.card:not([hidden])))").count(), 0, "no heading without a card");
    assert.ok((await page.locator("#pair-state").textContent()).startsWith(`${parted} of ${cards} `));
    if (parted) {
      await page.locator("body").click({ position: { x: 2, y: 2 } });
      await page.keyboard.press("j");
      assert.equal(await focused(page), 0, "keys go over the images that are shown");
    }
    await choose(page, "b", a);
    assert.equal(await visible(page), cards, "a target against itself parts nothing");
    await choose(page, "a", "");
    await choose(page, "b", "");
    assert.deepEqual([await pairs(page).count(), await visible(page)], [all, cards]);
  },

  async "keys typed in a chooser do not move"(page) {
    await page.locator('#pair-filter [name="a"]').focus();
    await page.keyboard.press("j");
    assert.equal(await page.evaluate(() => document.activeElement.name), "a");
  },

  async "choosing stays fast"(page) {
    const ms = await page.evaluate(([a, b]) => {
      const form = document.getElementById("pair-filter"), start = performance.now();
      [form.elements.a.value, form.elements.b.value] = [a, b];
      form.dispatchEvent(new Event("input"));
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start))));
    }, targets);
    console.log(`     one choice: ${ms.toFixed(0)} ms`);
    assert.ok(ms < 1000, `${ms} ms`);
  },
};

const wanted = { ...checks, ...(cards ? ofCards : {}), ...(targets.length > 1 ? ofPairs : {}) };
const leftOut = Object.keys({ ...checks, ...ofCards, ...ofPairs }).length - Object.keys(wanted).length;
const code = await runChecks(wanted, complaints, { open, what: `${cards} cards, ${targets.length} targets, ${leftOut} checks left out; ` });
await browser.close();
process.exit(code);
