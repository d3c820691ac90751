// What the browser tests of the annotation page share: keys at the right moment, and what the page asks.
//
// Does not check anything by itself; needs nothing but a page.

export const KEYS = { yes: "y", no: "n", not_sure: "s" };

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
