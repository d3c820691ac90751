// Makes the pictures of pages in README.md: the heads of the quick start's report and of its evaluation, 1,280 px wide.
//
// Needs what tests/page_driver.mjs needs, and Python with Pillow, which takes
// the colours down to 256 (a third of the bytes).
// Usage: NODE_PATH=… node scripts/page_pictures.mjs REPORT.html EVALUATION.html
import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { launch } from "../tests/page_driver.mjs";

const [report, evaluation] = process.argv.slice(2);
if (!evaluation || !process.env.NODE_PATH) {
  console.error("usage: NODE_PATH=<folder with playwright-core> node page_pictures.mjs REPORT.html EVALUATION.html");
  process.exit(2);
}
const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "../docs/images");
const browser = await launch();
// A picture ends above a section, so that it does not cut through one.
for (const [file, name, end] of [[report, "report.png", "#agreement, section:nth-of-type(3)"], [evaluation, "evaluation.png", "#kinds"]]) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await page.goto(pathToFileURL(path.resolve(file)).href);
  const bottom = await page.locator(end).first().evaluate((section) => section.getBoundingClientRect().top + scrollY);
  const out = path.join(folder, name);
  await page.screenshot({ path: out, fullPage: true, clip: { x: 0, y: 0, width: 1280, height: Math.min(1800, Math.floor(bottom) - 8) } });
  execFileSync("python3", ["-c", "import sys; from PIL import Image; f = sys.argv[1]; Image.open(f).convert('RGB').quantize(256, dither=0).save(f, optimize=True)", out]);
  await page.close();
}
await browser.close();
