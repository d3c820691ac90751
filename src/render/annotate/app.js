// The page's behaviour: which image and question are shown, keys, clicks, dialogs, progress. Answers go to a keeper.
// Holds always: text enters the page as text, never as markup; only the image on the screen can be answered; one key
// press or click gives at most one answer.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const SETTLE_MS = 250, SLOW_MS = 400, AHEAD = 2;
  const SAID = { yes: "Yes", no: "No", not_sure: "Not sure" };
  const KEYS = { yes: "y", no: "n", not_sure: "s" };
  const SCREENS = ["loading", "name", "sheet", "end", "message"];
  const embedded = byId("sheet-data");
  const keeper = embedded
    ? keepers.disk(JSON.parse(embedded.textContent))
    : keepers.server(document.querySelector('meta[name="csrf"]').content, () => showStatus());
  const isDisk = Boolean(embedded);

  let sheet = null, answers = new Map(), boxes = [], screen = "loading";
  let at = 0, asked = 0; // the image and, of its questions, the one that the next key answers; `at` = tasks is the end
  let past = []; // what `undo` takes back: {at, asked, before}
  let pictures = new Map(); // loaded or loading images by number: the shown one and its neighbours
  let quietUntil = 0, finishing = false;

  // Small tools

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  const isolated = (text, tag = "bdi") => element(tag, {}, element("bdi", {}, text));

  function setText(box, text) {
    if (box.textContent !== text) box.textContent = text;
  }

  function announce(text) {
    setText(byId("announcer"), "");
    setTimeout(() => setText(byId("announcer"), text), 50);
  }

  // What is answered

  const answerOf = (task, question) => answers.get(keepers.keyOf(task.task, question.id)) ?? null;
  const openQuestions = (task) => sheet.questions.flatMap((question, i) => (answerOf(task, question) ? [] : [i]));
  const isComplete = (task) => openQuestions(task).length === 0;
  const openTasks = () => sheet.tasks.flatMap((task, i) => (isComplete(task) ? [] : [i]));
  const allAnswers = () => sheet.tasks.length * sheet.questions.length;
  const missing = () => sheet.tasks.reduce((sum, task) => sum + openQuestions(task).length, 0);

  function gather() {
    const given = new Map();
    for (const task of sheet.tasks)
      for (const [question, answer] of Object.entries(task.answers)) given.set(keepers.keyOf(task.task, question), answer);
    for (const [key, answer] of Object.entries(keeper.overlay())) given.set(key, answer);
    answers = new Map([...given].filter(([, answer]) => Object.hasOwn(SAID, answer ?? "")));
  }

  function keep(task, question, answer) {
    const key = keepers.keyOf(task.task, question.id);
    if (answer) answers.set(key, answer); else answers.delete(key);
    keeper.put(task.task, question.id, answer);
    showStatus();
  }

  // Screens

  function showScreen(name) {
    const isNew = screen !== name;
    screen = name;
    for (const id of SCREENS) byId(id).hidden = id !== name;
    const working = name === "sheet" || name === "end";
    byId("top").hidden = name === "message";
    byId("progress-box").hidden = !working;
    byId("save").hidden = !isDisk || !working;
    byId("rename").hidden = !isDisk || !working || !keeper.canRename() || keeper.state() !== "kept";
    if (isNew) scrollTo(0, 0);
    if (isNew && name !== "sheet") (byId(name).querySelector("input") ?? byId(name).querySelector("h1"))?.focus();
  }

  function showMessage(title, text) {
    byId("message-title").textContent = title;
    byId("message-text").textContent = text;
    showScreen("message");
  }

  // Progress and the state of saving

  function showProgress() {
    const all = sheet.tasks.length, complete = all - openTasks().length;
    setText(byId("place"), at < all ? `${at + 1} of ${all}` : `${complete} of ${all}`);
    byId("place-kind").textContent = at < all ? "Image " : "Answered: ";
    byId("progress").max = all;
    byId("progress").value = complete;
    byId("progress").textContent = `${complete} of ${all}`;
  }

  function statusText() {
    if (isDisk) {
      return keeper.state() === "kept"
        ? "Progress is kept in this browser."
        : "This browser does not keep your progress. Save your answers before you close the page.";
    }
    const waiting = keeper.waiting(), safety = keeper.isStored() ? "" : " Keep this page open until then.";
    const some = counted(waiting, "answer");
    switch (keeper.state()) {
      case "saving": return "Saving …";
      case "away": return `Cannot reach the server, will try again. ${waiting ? `${some} not saved yet.` : ""}${safety}`;
      case "refused": return `The server did not take ${some}; will try again. If this continues, tell the person who sent you the link.${safety}`;
      case "gone": return "Your link is no longer valid.";
      default: return "Saved";
    }
  }

  let slow = 0;
  function showStatus() {
    const state = keeper.state(), update = () => setText(byId("status"), statusText());
    if (state === "gone") return showGone();
    clearTimeout(slow);
    byId("status").dataset.state = state;
    // A server that answers at once needs no message for the moment in between.
    if (state === "saving") slow = setTimeout(update, SLOW_MS); else update();
    if (screen === "end") showEnd();
    if (state === "saved" && screen === "sheet" && pictureState() === "broken") loadAgain();
  }

  function showGone() {
    const left = keeper.waiting(), saved = sheet ? "All your answers are saved." : "";
    const kept = keeper.isStored() ? "They are kept in this browser and will be sent when you open a valid link." : "They could not be kept in this browser.";
    showMessage("Your link is no longer valid", `Ask the person who sent it to you for a new one. ${left ? `${counted(left, "answer")} could not be saved. ${kept}` : saved}`);
  }

  // One image and its questions

  // The question's text with the category's name in it, as nodes.
  function worded(question, task) {
    const pieces = question.text.split("{category}");
    return pieces.flatMap((piece, i) => (i ? [isolated(task.category, "strong"), piece] : [piece]));
  }

  function answerButton(index, answer) {
    const button = element("button", { type: "button", className: "answer" }, SAID[answer], element("kbd", {}, KEYS[answer]));
    button.querySelector("kbd").setAttribute("aria-hidden", "true");
    button.dataset.answer = answer;
    button.dataset.question = index;
    return button;
  }

  function questionBox(index) {
    const heading = element("h2", { id: `question-${index}`, tabIndex: -1 });
    const gloss = element("p", { className: "gloss", id: `gloss-${index}`, hidden: true });
    const buttons = Object.keys(SAID).map((answer) => answerButton(index, answer));
    const box = element("div", { className: "question" }, heading, gloss, element("div", { className: "answers" }, ...buttons));
    box.setAttribute("role", "group");
    box.setAttribute("aria-labelledby", heading.id);
    box.setAttribute("aria-describedby", gloss.id);
    return { box, heading, gloss, buttons };
  }

  function buildQuestions() {
    boxes = sheet.questions.map((_, index) => questionBox(index));
    byId("questions").replaceChildren(...boxes.map(({ box }) => box));
  }

  // Once per image: under the first question that names the category.
  function glossPlace() {
    return Math.max(0, sheet.questions.findIndex(({ text }) => text.includes("{category}")));
  }

  function fillQuestions(task) {
    sheet.questions.forEach((question, i) => {
      const { heading, gloss } = boxes[i];
      heading.replaceChildren(...worded(question, task));
      gloss.hidden = !task.gloss || i !== glossPlace();
      if (!gloss.hidden) gloss.replaceChildren(isolated(task.category), ": ", isolated(task.gloss));
    });
    markQuestions();
  }

  function markQuestions() {
    const task = sheet.tasks[at], ready = pictureState() === "ready";
    boxes.forEach(({ box, buttons }, i) => {
      box.classList.toggle("current", i === asked);
      if (i === asked) box.setAttribute("aria-current", "step"); else box.removeAttribute("aria-current");
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String(answerOf(task, sheet.questions[i]) === button.dataset.answer));
        button.setAttribute("aria-disabled", String(!ready));
      }
    });
    byId("back").disabled = at === 0;
    byId("undo").disabled = !lastAnswer();
    showProgress();
  }

  // The focus follows the question, unless the person works with another part of the page.
  function focusQuestion() {
    const active = document.activeElement, { box, heading } = boxes[asked];
    const isFree = !active || active === document.body || !active.checkVisibility() || byId("questions").contains(active) || active.id === "picture";
    if (isFree && !document.querySelector("dialog[open]")) heading.focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  }

  // Pictures

  function picture(index) {
    if (pictures.has(index)) return pictures.get(index);
    const image = element("img", { alt: "Image to judge", draggable: false });
    for (const event of ["load", "error"]) image.addEventListener(event, () => { if (pictures.get(at) === image) showPicture(); });
    image.src = sheet.tasks[index].image;
    pictures.set(index, image);
    return image;
  }

  function pictureState() {
    const image = pictures.get(at);
    return !image?.complete ? "loading" : image.naturalWidth ? "ready" : "broken";
  }

  function showPicture() {
    const image = picture(at), state = pictureState();
    if (byId("picture").firstElementChild !== image) byId("picture").firstElementChild.replaceWith(image);
    byId("frame").dataset.state = state;
    byId("picture").disabled = state !== "ready";
    byId("waiting").hidden = state !== "loading";
    byId("broken").hidden = state !== "broken";
    markQuestions();
    if (state !== "loading") preload();
  }

  function preload() {
    for (const index of pictures.keys()) if (Math.abs(index - at) > AHEAD) pictures.delete(index);
    for (let index = at + 1; index <= at + AHEAD && index < sheet.tasks.length; index += 1) picture(index);
  }

  function loadAgain() {
    pictures.delete(at);
    showPicture();
  }

  function retryPicture() {
    loadAgain();
    boxes[asked].heading.focus({ preventScroll: true });
  }

  // Moving

  function show(index, question) {
    at = Math.min(Math.max(index, 0), sheet.tasks.length);
    if (at === sheet.tasks.length) return showEnd();
    const task = sheet.tasks[at];
    asked = question ?? openQuestions(task)[0] ?? 0;
    showScreen("sheet");
    if (byId("zoom").open) byId("zoom").close();
    fillQuestions(task);
    if (pictureState() === "broken") pictures.delete(at); // it may have failed long ago, when it was loaded ahead
    showPicture();
    focusQuestion();
    scrollTo(0, 0);
  }

  function go(index, question) {
    const before = at;
    show(index, question);
    if (at === before) return;
    announce(at < sheet.tasks.length ? `Image ${at + 1} of ${sheet.tasks.length}` : "End of the sheet");
  }

  function choose(question) {
    asked = question;
    markQuestions();
    focusQuestion();
  }

  // After an answer: the next open question of the image; when that was the last one, the next open image; when an
  // answer of a complete image was changed, the questions and images simply in their order.
  function advance(wasComplete) {
    const open = openQuestions(sheet.tasks[at]);
    if (open.length) choose(open.find((i) => i > asked) ?? open[0]);
    else if (!wasComplete) go(openTasks().find((i) => i > at) ?? openTasks()[0] ?? sheet.tasks.length);
    else if (asked + 1 < sheet.questions.length) choose(asked + 1);
    else go(at + 1);
  }

  function answer(value) {
    if (screen !== "sheet" || pictureState() !== "ready") return;
    const task = sheet.tasks[at], question = sheet.questions[asked], shown = at;
    const before = answerOf(task, question), wasComplete = isComplete(task);
    if (before !== value) {
      past.push({ at, asked, before });
      keep(task, question, value);
    }
    advance(wasComplete);
    if (at !== shown) quietUntil = performance.now() + SETTLE_MS;
  }

  // The answer given last; after a reload, the last answer before this place.
  function lastAnswer() {
    if (past.length) return past.at(-1);
    for (let i = Math.min(at, sheet.tasks.length - 1); i >= 0; i -= 1) {
      const given = sheet.questions.findLastIndex((question, q) => (i < at || q <= asked) && answerOf(sheet.tasks[i], question));
      if (given >= 0) return { at: i, asked: given, before: null };
    }
    return null;
  }

  function undo() {
    const last = lastAnswer();
    if (!last) return;
    past.pop();
    keep(sheet.tasks[last.at], sheet.questions[last.asked], last.before);
    show(last.at, last.asked);
    announce(`Answer taken back. Image ${at + 1} of ${sheet.tasks.length}`);
  }

  // The end

  function showEnd() {
    const open = openTasks(), lacking = missing(), all = allAnswers();
    showScreen("end");
    showProgress();
    setText(byId("summary"), lacking ? `You have answered ${all - lacking} of ${counted(all, "question")}. Missing: ${counted(lacking, "answer")}.` : `You have answered all ${counted(all, "question")} about ${counted(sheet.tasks.length, "image")}.`);
    byId("open").hidden = !lacking;
    const places = open.slice(0, 200);
    if (byId("open-list").dataset.places !== String(places)) {
      byId("open-list").dataset.places = String(places);
      byId("open-list").replaceChildren(...places.map((i) => {
        const button = element("button", { type: "button" }, `Image ${i + 1}`);
        button.dataset.go = i;
        return element("li", {}, button);
      }));
    }
    showFinish(lacking);
  }

  function showFinish(lacking) {
    const button = byId("finish");
    button.classList.toggle("main", !lacking);
    if (isDisk) return setText(button, lacking ? "Save answers so far" : "Save answers");
    const waits = keeper.waiting() > 0;
    // The server takes no sheet that lacks answers: an image that says nothing to somebody is answered with "not sure".
    setText(button, finishing ? "Finishing …" : lacking ? `Finish (${counted(lacking, "answer")} missing)` : waits ? "Waiting until every answer is saved" : "Finish");
    button.setAttribute("aria-disabled", String(lacking > 0 || waits || finishing));
    byId("end-back").disabled = finishing;
  }

  function save() {
    const { name, text } = keeper.file();
    const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    const note = `Saved ${counted(text.split("\n").length - 1, "answer")} as ${name}. Send this file to the person who gave you the page.`;
    setText(byId("end-note"), note);
    if (screen === "end") announce(note); else setText(byId("status"), note);
  }

  async function finish() {
    if (finishing || missing() > 0 || keeper.waiting() > 0) return;
    finishing = true;
    setText(byId("end-note"), "");
    showEnd();
    const result = await keeper.finish();
    finishing = false;
    if (result === "gone") return showGone();
    // A refusal may mean that the sheet was already finished in another tab; the next request shows it.
    const batch = sheet.batch;
    await open();
    if (result === "refused" && screen !== "message" && sheet.batch === batch) {
      show(sheet.tasks.length);
      setText(byId("end-note"), "The server could not finish this sheet. If this continues, tell the person who sent you the link.");
    }
  }

  const conclude = () => (isDisk ? save() : finish());

  // Dialogs

  function openDialog(id) {
    if (byId(id).open) return;
    byId(id).showModal();
    byId(id).querySelector("[data-close]").focus();
  }

  // At least its full size, at least the window, and well above the size on the sheet.
  function zoom() {
    if (screen !== "sheet" || pictureState() !== "ready") return;
    const image = pictures.get(at).cloneNode(), box = byId("zoom-scroll");
    box.replaceChildren(image);
    openDialog("zoom");
    const { naturalWidth: width, naturalHeight: height } = pictures.get(at);
    const fits = Math.min(box.clientWidth / width, box.clientHeight / height);
    const onSheet = Math.min(byId("frame").clientWidth / width, byId("frame").clientHeight / height);
    image.width = Math.round(width * Math.max(1, fits, 1.5 * onSheet));
    box.scrollTo((box.scrollWidth - box.clientWidth) / 2, (box.scrollHeight - box.clientHeight) / 2);
    box.focus();
    quietUntil = performance.now() + SETTLE_MS;
  }

  function toggle(id, opener) {
    if (byId(id).open) byId(id).close(); else if (!document.querySelector("dialog[open]")) opener();
  }

  // Shown once per browser, or each time if nothing can be stored.
  function instructOnce() {
    try {
      if (localStorage.getItem("hardset:instructed")) return;
      localStorage.setItem("hardset:instructed", "yes");
    } catch { /* then each time */ }
    openDialog("instructions");
  }

  // Clicks. Right after an answer has brought a new image, the second half of a double click does nothing.

  document.addEventListener("click", (event) => {
    if (event.detail === 0 || performance.now() >= quietUntil || !event.target.closest("#panel, #end, dialog")) return;
    event.stopPropagation();
    event.preventDefault();
  }, true);

  const actions = {
    picture: zoom,
    back: () => go(at - 1),
    forward: () => go(at + 1),
    undo,
    retry: retryPicture,
    save,
    finish: conclude,
    "end-back": () => go(openTasks()[0] ?? sheet.tasks.length - 1),
    "show-instructions": () => openDialog("instructions"),
    "show-help": () => openDialog("help"),
    rename: () => { byId("person").value = keeper.person() ?? ""; showScreen("name"); byId("person").select(); },
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const dialog = event.target.closest("dialog");
    if (dialog && (event.target === dialog || event.target.closest("[data-close]") || event.target.matches("#zoom img"))) dialog.close();
    if (!button || finishing || button.disabled || button.getAttribute("aria-disabled") === "true") return;
    if (button.dataset.answer) {
      asked = Number(button.dataset.question);
      answer(button.dataset.answer);
    } else if (button.dataset.go) go(Number(button.dataset.go));
    else if (Object.hasOwn(actions, button.id)) actions[button.id]();
  });

  // Keys

  const keys = {
    y: () => answer("yes"), n: () => answer("no"), s: () => answer("not_sure"), "?": () => answer("not_sure"),
    u: undo, Backspace: undo,
    ArrowLeft: () => go(at - 1),
    ArrowRight: () => go(at + 1),
    ArrowUp: () => { if (screen === "sheet") choose(Math.max(0, asked - 1)); },
    ArrowDown: () => { if (screen === "sheet") choose(Math.min(sheet.questions.length - 1, asked + 1)); },
  };
  const dialogKeys = {
    z: () => toggle("zoom", zoom),
    i: () => toggle("instructions", () => openDialog("instructions")),
    h: () => toggle("help", () => openDialog("help")),
  };
  const MAY_REPEAT = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]);

  // The Latin letter, also on keyboards of other scripts.
  function keyOf(event) {
    if (event.key.length > 1) return event.key;
    const isLatin = event.key >= " " && event.key <= "~";
    return (isLatin ? event.key : /^Key([A-Z])$/.exec(event.code)?.[1] ?? "").toLowerCase();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, select, textarea")) return;
    const key = keyOf(event), working = screen === "sheet" || screen === "end";
    // A button under a held Enter key would be pressed again and again.
    if (event.repeat && (key === "Enter" || key === " ") && event.target.closest?.("button")) return event.preventDefault();
    const inDialog = Boolean(document.querySelector("dialog[open]"));
    const action = Object.hasOwn(dialogKeys, key) ? dialogKeys[key] : !inDialog && Object.hasOwn(keys, key) ? keys[key] : null;
    if (!action || !working || finishing) return;
    event.preventDefault();
    if (!event.repeat || MAY_REPEAT.has(key)) action();
  });

  // Start

  function begin() {
    gather();
    past = [];
    pictures = new Map();
    buildQuestions();
    byId("who").textContent = isDisk ? keeper.person() : `Sheet ${(sheet.sheets_done ?? 0) + 1}`;
    setText(byId("end-note"), "");
    showStatus();
    at = -1;
    go(openTasks()[0] ?? sheet.tasks.length);
    if (screen === "sheet") instructOnce();
  }

  async function open() {
    const result = await keeper.load();
    if (result.gone) return showGone();
    if (result.none) return showMessage("There is nothing left to do", "All your answers are saved. Thank you very much.");
    sheet = result.sheet;
    if (isDisk && keeper.person() === null) return showScreen("name");
    begin();
  }

  byId("name-form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("person").value.trim();
    if (!name) return byId("person").focus();
    keeper.begin(name);
    begin();
  });

  // Another tab with the same sheet and person has changed the answers.
  window.addEventListener("storage", (event) => {
    if (!sheet || !keeper.isShelf(event.key)) return;
    gather();
    if (screen === "sheet") markQuestions();
    if (screen === "end") showEnd();
  });

  window.addEventListener("beforeunload", (event) => {
    if (!keeper.isSafe()) event.preventDefault();
  });

  for (const id of ["zoom", "instructions", "help"])
    byId(id).addEventListener("close", () => { if (screen === "sheet" && document.activeElement === document.body) focusQuestion(); });

  showStatus();
  open();
})();
