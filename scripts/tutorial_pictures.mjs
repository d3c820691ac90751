// Makes the pictures of docs/tutorial.md from what its commands have made: `scripts/check_tutorial … --work DIR`.
//
// Needs what tests/page_driver.mjs needs, and Python with Pillow, which writes small JPEGs.
// Usage: NODE_PATH=… node scripts/tutorial_pictures.mjs DIR
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ready } from "../tests/annotation_driver.mjs";
import { launch } from "../tests/page_driver.mjs";

const work = process.argv[2];
if (!work || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> node tutorial_pictures.mjs DIR");
  process.exit(2);
}
const SMALL = `
import sys
from PIL import Image
Image.open(sys.argv[1]).convert("RGB").save(sys.argv[2], quality=78, optimize=True)
`;
const lab = path.resolve(work, "lab");
const images = path.join(path.dirname(fileURLToPath(import.meta.url)), "../docs/images");
const browser = await launch();

async function open(url, width, height) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: "light" });
  await page.goto(url);
  return page;
}

// The part of a page from `top` to `bottom` px, or what the window shows, as a JPEG.
async function picture(page, name, top = null, bottom = null) {
  const { width } = page.viewportSize();
  const file = path.join(images, `tutorial-${name}.jpg`);
  const png = file.replace(".jpg", ".png");
  const clip = top === null ? {} : { fullPage: true, clip: { x: 0, y: top, width, height: bottom - top } };
  await page.screenshot({ path: png, ...clip });
  execFileSync("python3", ["-c", SMALL, png, file]);
  fs.unlinkSync(png);
  console.log(`${path.basename(file)}: ${Math.ceil(fs.statSync(file).size / 1024)} KiB`);
  await page.close();
}

const topOf = (page, place) =>
  page.locator(place).first().evaluate((found) => Math.floor(found.getBoundingClientRect().top + scrollY));
const local = (file) => pathToFileURL(path.join(lab, file)).href;

// The report as the second part of the tutorial has it: with the rule of the recipe.
const hardset = path.join(lab, "venv/bin/hardset");
execFileSync(hardset, ["mine", "runs/quickstart", "--rule", "all", "-q"], { cwd: lab });
execFileSync(hardset, ["report", "runs/quickstart", "--out", "report.html", "-q"], { cwd: lab });
const head = await open(local("report.html"), 1000, 800);
await picture(head, "report", 0, Math.min(900, (await topOf(head, "#agreement, section:nth-of-type(3)")) - 8));

// Cards are drawn when they come into the window.
const gallery = await open(local("report.html"), 1300, 760);
const firstCard = await topOf(gallery, ".card:not([hidden])");
await gallery.evaluate((top) => window.scrollTo(0, top - 136), firstCard);
await gallery.waitForTimeout(1500);
await picture(gallery, "hard");

const scores = await open(local("evaluations/mine-1.0.0/index.html"), 1000, 800);
await picture(scores, "evaluation", 0, Math.min(1000, (await topOf(scores, "#kinds, section:nth-of-type(3)")) - 8));

// A person's own link, as `annotate serve` prints it.
const server = spawn(hardset, ["annotate", "serve", "runs/mine", "--people", "ada", "--port", "0"], { cwd: lab });
const link = await new Promise((done) => {
  let said = "";
  server.stdout.on("data", (text) => {
    said += text;
    const found = /^ada: (\S+)$/m.exec(said);
    if (found) done(found[1]);
  });
});
const sheet = await open(link, 1000, 720);
await sheet.getByRole("button", { name: "Start" }).click();
await ready(sheet);
await picture(sheet, "annotate");
server.kill("SIGINT");
await browser.close();
