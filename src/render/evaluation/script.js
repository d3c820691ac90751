// Two chosen targets, keyboard and the larger view. Reads only the page; fetches and stores nothing.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const cards = [...document.querySelectorAll(".card")].map((box) => ({
    box, open: box.querySelector(".open"), right: JSON.parse(box.dataset.right ?? "[]"),
  }));
  const byBox = new Map(cards.map((card) => [card.box, card]));
  const form = byId("pair-filter"), state = byId("pair-state"), none = byId("no-card"), all = byId("all-pairs");
  const rows = [...document.querySelectorAll("#pair-table tbody tr")];
  const groups = [...document.querySelectorAll(".group")];
  const viewer = byId("viewer");
  let current = null, viewed = null;

  // Two chosen targets: their row, and the images on which they differ.

  function apply() {
    const a = form.elements.a.value, b = form.elements.b.value;
    const named = (row) => [row.dataset.a, row.dataset.b];
    for (const row of rows) row.hidden = !((!a || named(row).includes(a)) && (!b || named(row).includes(b)));
    if (all && (a || b)) all.open = true;
    const isPair = a && b && a !== b;
    let shown = 0;
    for (const card of cards) {
      const keep = !isPair || card.right.includes(a) !== card.right.includes(b);
      if (card.box.hidden === keep) card.box.hidden = !keep;
      shown += keep;
    }
    for (const group of groups) group.hidden = !group.querySelector(".card:not([hidden])");
    if (none) none.hidden = shown > 0 || !cards.length;
    state.textContent = isPair ? `${shown} of ${cards.length} cards below part them` : a && a === b ? "Choose two targets" : "";
  }

  if (form) {
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  // Moving between images

  const visible = () => cards.filter((card) => !card.box.hidden);

  function neighbour(step) {
    const list = visible(), at = list.indexOf(current);
    if (!list.length) return null;
    if (at < 0) return list[step > 0 ? 0 : list.length - 1];
    return list[Math.min(list.length - 1, Math.max(0, at + step))];
  }

  function go(step) {
    const card = neighbour(step);
    if (!card) return;
    if (viewer?.open) return view(card);
    current = card;
    card.open.focus({ preventScroll: true });
    card.box.scrollIntoView({ block: "nearest" });
  }

  function view(card) {
    current = viewed = card;
    if (!viewer) return;
    const copy = card.box.querySelector(".words").cloneNode(true);
    for (const details of copy.querySelectorAll("details")) details.open = true;
    const picture = card.open.firstElementChild.cloneNode(true);
    if (picture.tagName === "IMG") picture.loading = "eager";
    const list = visible();
    viewer.querySelector(".view").replaceChildren(picture, copy);
    viewer.querySelector(".place").textContent = `${list.indexOf(card) + 1} of ${list.length}`;
    viewer.setAttribute("aria-label", "Larger view: " + copy.querySelector("h4").textContent);
    if (!viewer.open) viewer.showModal();
    viewer.scrollTop = 0;
  }

  // Not `current`: before this event the browser gives the focus back to the image that was opened first.
  viewer?.addEventListener("close", () => {
    viewed?.open.focus({ preventScroll: true });
    viewed?.box.scrollIntoView({ block: "nearest" });
  });
  viewer?.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button"), box = event.target.closest(".card");
    if (button?.matches("[data-close]")) viewer.close();
    else if (button?.matches("[data-step]")) go(Number(button.dataset.step));
    else if (event.target.closest("summary")) return;
    else if (box && getSelection().isCollapsed) view(byBox.get(box));
  });

  document.addEventListener("focusin", (event) => {
    const box = event.target.closest(".card");
    if (box) current = byBox.get(box);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, select, textarea")) return;
    const inView = viewer?.open || event.target.closest?.(".card");
    const step = { j: 1, k: -1, ...(inView ? { ArrowRight: 1, ArrowLeft: -1 } : {}) }[event.key];
    if (!step) return;
    event.preventDefault();
    go(step);
  });

  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const image of document.querySelectorAll(".card img")) image.loading = "eager";
  });
  document.documentElement.classList.add("js");
})();
