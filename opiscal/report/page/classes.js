// The table of classes: sorted, searched, and a class chosen from it.

const ROWS_AT_ONCE = 100;
const body = document.querySelector("#class-table tbody");
const search = document.getElementById("search");
const found = document.getElementById("found");
const more = document.getElementById("more");
const best = wholeNumbers(columns.best, classes);
const nearest = wholeNumbers(columns.nearest, classes);
const utility = floats(columns.utility, classes);
const error = floats(columns.error, classes);
const share = floats(columns.share, classes);
const none = new Float64Array(classes).fill(NaN);
const atRecommended = (() => {
  if (data.recommended === null) return { far: none, frr: none };
  const place = placeOf(data.recommended);
  const far = new Float64Array(classes);
  const frr = new Float64Array(classes);
  for (let i = 0; i < classes; i += 1) ({ far: far[i], frr: frr[i] } = ratesOf(i, place));
  return { far, frr };
})();

let nameRanks = null;
const byName = () => {
  if (!nameRanks) {
    const collator = new Intl.Collator("en", { numeric: true });
    const sorted = Array.from({ length: total }, (_, k) => k);
    sorted.sort((a, b) => collator.compare(columns.names[a], columns.names[b]));
    nameRanks = new Float64Array(total);
    sorted.forEach((k, rank) => {
      nameRanks[k] = rank;
    });
  }
  return nameRanks;
};

// What a column is sorted by, and whether a first press on its heading puts the largest first.
const KEYS = {
  name: [() => byName(), false],
  rows: [() => rows, true],
  utility: [() => utility, false],
  error: [() => error, true],
  share: [() => share, true],
  far: [() => atRecommended.far, true],
  frr: [() => atRecommended.frr, true],
  best: [() => best, false],
  nearest: [() => Float64Array.from(nearest, (k) => (k === 0 ? NaN : byName()[k - 1])), false],
};
const sorting = { key: "utility", down: false };
let order = Uint32Array.from({ length: classes }, (_, i) => i);
let matching = order;
let shown = ROWS_AT_ONCE;

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Zl}\p{Zp}]/gu;
const ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Characters that cannot be seen, as the page shows them: see layout.clean. */
const escaped = (text) =>
  text.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0).toString(16);
    if (ESCAPES[character]) return ESCAPES[character];
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });

const folded = (text) => escaped(text).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

let foldedNames = null;
const namesFolded = () => {
  foldedNames ??= columns.names.slice(0, classes).map(folded);
  return foldedNames;
};

const sortOrder = () => {
  const keys = KEYS[sorting.key][0]();
  const sign = sorting.down ? -1 : 1;
  order = Uint32Array.from({ length: classes }, (_, i) => i).sort((a, b) => {
    const first = keys[a];
    const second = keys[b];
    if (first === second) return a - b;
    if (Number.isNaN(first)) return Number.isNaN(second) ? a - b : 1;
    if (Number.isNaN(second)) return -1;
    return sign * (first - second);
  });
};

const number = (text) => element("td", { class: "n" }, text);

const classRow = (i) => {
  const button = element("button", { type: "button", class: "class", "aria-pressed": String(i === pinned) }, nameOf(i));
  const row = element(
    "tr",
    { "data-class": i },
    element("th", { scope: "row" }, button),
    number(whole(rows[i])),
    number(utility[i].toFixed(4)),
    number(Number.isNaN(error[i]) ? "–" : error[i].toFixed(4)),
    number(percent(share[i])),
    number(percent(atRecommended.far[i])),
    number(percent(atRecommended.frr[i])),
    number(columns.best_texts[best[i]]),
    element("td", {}, ...(nearest[i] > 0 ? [nameOf(nearest[i] - 1)] : [])),
  );
  if (i === pinned) row.className = "chosen";
  return row;
};

const showRows = () => {
  const visible = Math.min(shown, matching.length);
  body.replaceChildren(...Array.from(matching.subarray(0, visible), classRow));
  const left = matching.length - visible;
  more.parentElement.hidden = left === 0;
  more.textContent = `Show ${whole(Math.min(left, ROWS_AT_ONCE))} more of ${whole(left)}`;
};

const showMore = () => {
  const from = body.rows.length;
  const to = Math.min(from + ROWS_AT_ONCE, matching.length);
  body.append(...Array.from(matching.subarray(from, to), classRow));
  shown = to;
  const left = matching.length - to;
  more.parentElement.hidden = left === 0;
  more.textContent = `Show ${whole(Math.min(left, ROWS_AT_ONCE))} more of ${whole(left)}`;
  // The button may be gone, and focus must not be lost.
  body.rows[from].querySelector("button").focus();
};

const filterRows = () => {
  const wanted = folded(search.value.trim());
  const names = wanted ? namesFolded() : null;
  matching = names ? order.filter((i) => names[i].includes(wanted)) : order;
  shown = ROWS_AT_ONCE;
  showRows();
  const kept = `${whole(classes)} ${classes === 1 ? "class" : "classes"}`;
  found.textContent = names ? `${whole(matching.length)} of ${kept}` : kept;
};

const markHeadings = () => {
  for (const heading of document.querySelectorAll("#class-table th[data-key]")) {
    const here = heading.dataset.key === sorting.key;
    if (here) heading.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
};

const sortBy = (key) => {
  sorting.down = key === sorting.key ? !sorting.down : KEYS[key][1];
  sorting.key = key;
  sortOrder();
  markHeadings();
  filterRows();
  document.getElementById("class-scroll").scrollTop = 0;
};

/** Keeps the curve of a class drawn; of the class that is kept already, lets it go. */
const pin = (i) => {
  pinned = i === pinned ? -1 : i;
  drawClass(pinned, "pinned");
  showPinned();
  for (const row of body.rows) {
    const here = Number(row.dataset.class) === pinned;
    row.classList.toggle("chosen", here);
    row.querySelector("button").setAttribute("aria-pressed", String(here));
  }
};

const makeTable = () => {
  for (const heading of document.querySelectorAll("#class-table th[data-key]")) {
    const button = element("button", { type: "button", class: "sort" }, ...heading.childNodes);
    button.addEventListener("click", () => sortBy(heading.dataset.key));
    heading.append(button);
  }
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-class]");
    // Text that is being marked to be copied is not a choice.
    if (row && !String(getSelection())) pin(Number(row.dataset.class));
  });
  search.addEventListener("input", filterRows);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && search.value && matching.length && matching[0] !== pinned) pin(matching[0]);
  });
  more.addEventListener("click", showMore);
  markHeadings();
  filterRows();
};
