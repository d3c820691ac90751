// Filters, sorting, keyboard and the larger view. Reads only the page; fetches and stores nothing.
// Holds always: the filters are only in the form and in the URL's fragment; hiding a card never reads layout.
(() => {
  "use strict";
  const form = document.getElementById("filters");
  if (!form) return;
  const byId = (id) => document.getElementById(id);
  const viewer = byId("viewer"), help = byId("help"), single = byId("single-keys"), shownBox = byId("shown"), none = byId("none");
  const fields = ["q", "cat", "kind", "n", "group", "sort"];
  const groups = [...document.querySelectorAll(".group")].map((box) => ({
    id: box.id, box, list: box.querySelector(".cards"), count: box.querySelector(".count"),
  }));
  const cards = groups.flatMap((group) => [...group.list.children].map((box, order) => ({
    box, order, group,
    open: box.querySelector(".open"),
    text: (box.querySelector(".words").textContent + " " + box.dataset.cat).toLowerCase(),
    failed: box.dataset.failed,
    category: box.dataset.cat.toLowerCase(),
    kind: box.dataset.kind,
    p: Number(box.dataset.p),
  })));
  const byBox = new Map(cards.map((card) => [card.box, card]));
  const categories = new Set(cards.map((card) => card.category));
  const number = (n) => n.toLocaleString("en-US");
  let sorted = "", current = null, viewed = null;

  // Filters

  function wanted() {
    const value = Object.fromEntries(fields.map((name) => [name, form.elements[name].value.trim()]));
    const words = value.q.toLowerCase().split(/\s+/).filter(Boolean);
    const category = value.cat.toLowerCase(), exact = categories.has(category);
    return (card) =>
      (!value.group || card.group.id === value.group) &&
      (!value.n || card.failed === value.n) &&
      (!value.kind || card.kind === value.kind) &&
      (!category || (exact ? card.category === category : card.category.includes(category))) &&
      words.every((word) => card.text.includes(word));
  }

  const orders = {
    "": (a, b) => a.order - b.order,
    p: (a, b) => a.p - b.p || a.order - b.order,
    cat: (a, b) => (a.category < b.category ? -1 : a.category > b.category ? 1 : a.order - b.order),
  };

  function sort(key) {
    if (key === sorted) return;
    sorted = key;
    cards.sort(orders[key] ?? orders[""]);
    for (const group of groups) group.list.append(...cards.filter((card) => card.group === group).map((card) => card.box));
    cards.sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group)); // stable: reading order again
  }

  function apply() {
    sort(form.elements.sort.value);
    const keep = wanted();
    for (const group of groups) group.shown = 0;
    for (const card of cards) {
      const show = keep(card);
      if (card.box.hidden === show) card.box.hidden = !show;
      if (show) card.group.shown += 1;
    }
    for (const group of groups) {
      group.box.hidden = group.shown === 0;
      group.count.textContent = number(group.shown);
    }
    const total = groups.reduce((sum, group) => sum + group.shown, 0);
    shownBox.textContent = total === cards.length ? `${number(total)} images` : `${number(total)} of ${number(cards.length)} images`;
    none.hidden = total > 0;
  }

  // The URL's fragment

  function toFragment() {
    const params = new URLSearchParams();
    for (const name of fields) if (form.elements[name].value.trim()) params.set(name, form.elements[name].value.trim());
    const next = params.size ? "#" + params : "";
    if (next !== location.hash) history.replaceState(null, "", next || location.pathname + location.search);
  }

  function fromFragment() {
    const isFilter = location.hash.includes("=");
    if (location.hash && !isFilter) return; // an anchor of the page: filters stay
    const params = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) form.elements[name].value = params.get(name) ?? "";
    for (const select of form.querySelectorAll("select")) if (select.selectedIndex < 0) select.selectedIndex = 0;
    apply();
    if (isFilter) byId("gallery").scrollIntoView();
  }

  let pending = 0;
  form.addEventListener("input", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => { apply(); toFragment(); });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", fromFragment);

  function reset() {
    form.reset();
    apply();
    toFragment();
    form.elements.q.focus();
  }

  // Moving between cards

  const shown = () => cards.filter((card) => !card.box.hidden);

  function neighbour(step) {
    const list = shown(), at = list.indexOf(current);
    if (!list.length) return null;
    if (at < 0) return list[step > 0 ? 0 : list.length - 1];
    return list[Math.min(list.length - 1, Math.max(0, at + step))];
  }

  function focusCard(card) {
    if (!card) return;
    current = card;
    card.open.focus({ preventScroll: true });
    card.box.scrollIntoView({ block: "nearest" });
  }

  function go(step) {
    const card = neighbour(step);
    if (viewer.open) { if (card) view(card); } else focusCard(card);
  }

  const columns = (card) => getComputedStyle(card.group.list).gridTemplateColumns.split(" ").length;

  // The larger view: the card's own words and picture, copied

  function view(card) {
    current = viewed = card;
    const copy = card.box.querySelector(".words").cloneNode(true);
    const picture = card.open.firstElementChild.cloneNode(true);
    if (picture.tagName === "IMG") picture.loading = "eager";
    const list = shown();
    viewer.querySelector(".view").replaceChildren(picture, copy);
    viewer.querySelector(".place").textContent = `${number(list.indexOf(card) + 1)} of ${number(list.length)}`;
    viewer.setAttribute("aria-label", "Larger view: " + copy.querySelector("h4").textContent);
    if (!viewer.open) viewer.showModal();
    viewer.scrollTop = 0;
  }

  // The browser first returns the focus to where it was before the dialog; the reader may have moved on since.
  viewer.addEventListener("close", () => focusCard(viewed));
  for (const dialog of [viewer, help])
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button"), box = event.target.closest(".card");
    if (button?.matches("[data-reset]")) reset();
    else if (button?.matches("[data-help]")) help.showModal();
    else if (button?.matches("[data-close]")) button.closest("dialog").close();
    else if (button?.matches("[data-step]")) go(Number(button.dataset.step));
    else if (box && getSelection().isCollapsed) view(byBox.get(box));
  });

  document.addEventListener("focusin", (event) => {
    const box = event.target.closest(".card");
    if (box) current = byBox.get(box);
  });

  // Keys

  const anywhere = { j: () => go(1), k: () => go(-1), "/": () => form.elements.q.select(), "?": () => help.showModal() };
  const inCard = {
    ArrowRight: () => go(1),
    ArrowLeft: () => go(-1),
    ArrowDown: () => go(columns(current)),
    ArrowUp: () => go(-columns(current)),
  };
  const inViewer = { j: anywhere.j, k: anywhere.k, ArrowRight: () => go(1), ArrowLeft: () => go(-1) };

  function actionFor(event) {
    if (help.open) return null;
    const table = viewer.open ? inViewer : event.target.closest?.(".card") ? { ...anywhere, ...inCard } : anywhere;
    const action = Object.hasOwn(table, event.key) ? table[event.key] : null;
    return event.key.length === 1 && !single.checked ? null : action;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, select, textarea")) {
      if (event.key === "Escape" && event.target.form === form) event.target.blur();
      return;
    }
    const action = actionFor(event);
    if (!action) return;
    event.preventDefault();
    action();
  });

  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const image of document.querySelectorAll(".card img")) image.loading = "eager";
  });

  form.hidden = false;
  document.documentElement.classList.add("js");
  apply();
  if (location.hash.includes("=")) fromFragment();
})();
