// Stores the answers: in this browser alone (a page from disk) or on a server (with this browser as a safety net).
// Does not touch the page. Holds always: an answer stays in the queue until the server has said 204 to exactly that
// answer; of several answers to one question the last one wins; tabs of one browser share one queue and take turns.
const keepers = (() => {
  "use strict";
  const REQUEST_MS = 20000, LONGEST_PAUSE_MS = 15000;
  const keyOf = (task, question) => task + "\n" + question;

  // A map of entries in the browser's storage. When the browser refuses to store, memory takes over for this tab.
  function shelf(...name) {
    const key = "hardset:" + JSON.stringify(name);
    let entries = {}, stored = true;
    const self = {
      key,
      isStored: () => stored,
      // The stored entries, including the changes of other tabs. Storage that was emptied in the meantime is ignored.
      read() {
        if (!stored) return entries;
        try { entries = parsed(localStorage.getItem(key)) ?? entries; } catch { stored = false; }
        return entries;
      },
      write(next) {
        entries = next;
        try {
          localStorage.setItem(key, JSON.stringify(next));
          stored = true;
        } catch { stored = false; }
      },
      // Puts an entry last, even if it exists already.
      put(name, entry) {
        const { [name]: _, ...rest } = self.read();
        self.write({ ...rest, [name]: entry });
      },
      remove(name) {
        const { [name]: _, ...rest } = self.read();
        self.write(rest);
      },
    };
    self.write(self.read());
    return self;
  }

  // An object from stored text; null if it is missing or damaged.
  function parsed(text) {
    try {
      const value = JSON.parse(text);
      return typeof value === "object" && !Array.isArray(value) ? value : null;
    } catch { return null; }
  }

  const fileSafe = (text) => text.replace(/[^A-Za-z0-9._-]+/g, "_");

  // A sheet inside a page: answers stay in the browser's storage until the person saves them as a file.
  function disk(sheet) {
    const names = shelf("person", sheet.batch);
    let person = sheet.person ?? names.read().name ?? null, answers = null, downloaded = true;

    // Answers that came with the sheet get a time once, so that every download has the same time for them.
    function adopt() {
      const own = answers.read(), at = new Date().toISOString(), given = {};
      for (const task of sheet.tasks)
        for (const [question, answer] of Object.entries(task.answers)) given[keyOf(task.task, question)] = { answer, at };
      answers.write({ ...given, ...own });
    }

    function begin(name) {
      person = name;
      names.write({ name });
      answers = shelf("answers", sheet.batch, person);
      adopt();
    }

    function lines() {
      const kept = answers.read();
      return sheet.tasks.flatMap(({ task }) => sheet.questions.flatMap(({ id: question }) => {
        const { answer, at } = kept[keyOf(task, question)] ?? {};
        return answer ? [{ format: "hardset-answers-1", batch: sheet.batch, person, task, question, answer, at }] : [];
      }));
    }

    if (person !== null) begin(person);
    return {
      person: () => person,
      canRename: () => sheet.person === null,
      begin,
      load: async () => ({ sheet }),
      overlay: () => Object.fromEntries(Object.entries(answers.read()).map(([key, entry]) => [key, entry.answer])),
      put(task, question, answer) {
        answers.put(keyOf(task, question), { answer, at: new Date().toISOString() });
        downloaded = false;
      },
      state: () => (answers?.isStored() ?? names.isStored() ? "kept" : "unkept"),
      isSafe: () => downloaded || answers.isStored(),
      isShelf: (key) => key === answers?.key,
      file() {
        downloaded = true;
        const text = lines().map((line) => JSON.stringify(line) + "\n").join("");
        return { name: `answers-${fileSafe(sheet.batch)}-${fileSafe(person)}.jsonl`, text };
      },
    };
  }

  // Sheets from a server: every answer is queued, stored, sent in order, and dropped from the queue once it is saved.
  function server(firstToken, changed) {
    let token = firstToken, sheet = null, queue = null, state = "saved", running = null, hurry = () => {};

    const say = (next) => { state = next; changed(); };

    async function ask(method, path, body) {
      const headers = body ? { "content-type": "application/json", "x-csrf-token": token } : {};
      const signal = AbortSignal.timeout(REQUEST_MS);
      try {
        return await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store", redirect: "error", signal });
      } catch { return null; }
    }

    // A restarted server may need another token, which the page that it serves now contains.
    async function renewToken() {
      const page = await ask("GET", location.href);
      const text = page?.ok ? await page.text().catch(() => "") : "";
      const meta = new DOMParser().parseFromString(text, "text/html").querySelector('meta[name="csrf"]');
      token = meta?.content ?? token;
    }

    // "saved", "away" (no answer, or a failing server), "gone" (the link is no longer valid) or "refused".
    async function post(path, body) {
      const used = token;
      let response = await ask("POST", path, body);
      if (response?.status === 403) await renewToken();
      if (token !== used) response = await ask("POST", path, body);
      if (response?.status === 204) return "saved";
      if (response?.status === 401) return "gone";
      return !response || response.status >= 500 || response.status === 429 ? "away" : "refused";
    }

    // Waits longer after each failure; the wait ends when the browser is online again, the tab is opened, or an answer comes.
    function pause(failures) {
      const ms = Math.min(LONGEST_PAUSE_MS, 400 * 2 ** failures) * (0.75 + Math.random() / 2);
      return new Promise((done) => { hurry = done; setTimeout(done, ms); });
    }

    // Only one tab sends at a time, so that an older answer of one tab never follows a newer answer of another.
    const inTurn = (work) => (navigator.locks ? navigator.locks.request(queue.key, work) : work());

    // Only what belongs to this sheet is sent; a stored queue may be that of another run with the same names.
    function waiting() {
      const tasks = new Set(sheet.tasks.map(({ task }) => task)), questions = new Set(sheet.questions.map(({ id }) => id));
      return Object.entries(queue?.read() ?? {}).filter(([, entry]) => tasks.has(entry.task) && questions.has(entry.question));
    }

    async function sendOne(key) {
      const entry = queue.read()[key];
      if (!entry) return "saved"; // another tab has sent it
      const { task, question, answer } = entry;
      const result = await post("/api/answers", { batch: sheet.batch, task, question, answer });
      if (result === "saved" && queue.read()[key]?.id === entry.id) queue.remove(key);
      return result;
    }

    async function sendAll() {
      const refused = new Set();
      for (let failures = 0; state !== "gone";) {
        const entries = waiting();
        if (!entries.length) return say("saved");
        const next = entries.find(([, entry]) => !refused.has(entry.id));
        const result = next ? await inTurn(() => sendOne(next[0])) : "refused";
        if (result === "saved") {
          failures = 0;
          if (state !== "saving") say("saving");
        } else if (next && result === "refused") refused.add(next[1].id);
        else {
          say(result);
          refused.clear();
          await pause(failures++);
        }
      }
    }

    function send() {
      if (running || !sheet || state === "gone" || !waiting().length) return;
      if (state === "saved") say("saving");
      running = sendAll().finally(() => { running = null; send(); });
    }

    async function load() {
      for (let failures = 0;; failures += 1) {
        const response = await ask("GET", "/api/sheet");
        if (response?.status === 204) return { none: true };
        if (response?.status === 401) return { gone: true };
        const next = response?.status === 200 ? await response.json().catch(() => null) : null;
        if (next?.format === "hardset-sheet-1") return open(next);
        say("away");
        await pause(failures);
      }
    }

    function open(next) {
      sheet = next;
      queue = shelf("queue", sheet.batch, sheet.person);
      state = "saved";
      changed();
      send();
      return { sheet };
    }

    async function finish() {
      for (let failures = 0;; failures += 1) {
        const result = await post("/api/finish", { batch: sheet.batch });
        if (result !== "away") {
          say(result === "gone" ? "gone" : "saved");
          return result;
        }
        say("away");
        await pause(failures);
      }
    }

    window.addEventListener("online", () => hurry());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });
    return {
      load,
      finish,
      overlay: () => Object.fromEntries(waiting().map(([key, entry]) => [key, entry.answer])),
      put(task, question, answer) {
        queue.put(keyOf(task, question), { id: `${Date.now()}-${Math.random()}`, task, question, answer });
        if (running) changed();
        hurry();
        send();
      },
      state: () => state,
      waiting: () => (sheet ? waiting().length : 0),
      isStored: () => queue?.isStored() ?? true,
      isSafe: () => !sheet || !waiting().length || queue.isStored(),
      isShelf: () => false,
    };
  }

  return { disk, server, keyOf };
})();
