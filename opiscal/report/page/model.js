// The numbers of the report: classes, thresholds, and rates of a class at any threshold.

const data = JSON.parse(document.getElementById("data-of-page").textContent);
const { edges, stops, columns } = data;
const total = columns.names.length;
const rows = (() => {
  let count = 0;
  eachNumber(bytesOf(columns.rows), () => {
    count += 1;
  });
  return wholeNumbers(columns.rows, count);
})();
const classes = rows.length;
const positives = wholeNumbers(columns.positives, classes);
const negatives = wholeNumbers(columns.negatives, classes);
const pairs = acceptedPairs(data.counts, classes, edges.length);

/** The number of the first of some ascending numbers that is at least `value`. */
const firstAtLeast = (ascending, value) => {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
};

const nearestOf = (ascending, value) => {
  const above = Math.min(firstAtLeast(ascending, value), ascending.length - 1);
  const below = Math.max(above - 1, 0);
  return value - ascending[below] < ascending[above] - value ? below : above;
};

/** Between which edges a distance lies, and how far it is on its way from one to the other. */
const placeOf = (distance) => {
  const above = Math.min(Math.max(firstAtLeast(edges, distance), 1), edges.length - 1);
  const low = edges[above - 1];
  const high = edges[above];
  let weight = Math.min(Math.max((distance - low) / (high - low), 0), 1);
  // What differs from an edge in the tenth digit is that edge, as in rates.py.
  if (Math.abs(distance - low) <= 1.01e-8 * distance) weight = 0;
  if (Math.abs(distance - high) <= 1.01e-8 * distance) weight = 1;
  return { below: (above - 1) * classes, above: above * classes, weight };
};

const square = data.c * data.c;

const utilityOf = (accepted, all, falseAccepts, others) => {
  if (data.utility === "precision-recall") {
    if (accepted <= 0) return 0;
    const over = (1 + square) * accepted;
    return over / (over + square * (all - accepted) + falseAccepts);
  }
  const sensitivity = accepted / all;
  const specificity = 1 - falseAccepts / others;
  const below = square * specificity + sensitivity;
  return below > 0 ? ((1 + square) * specificity * sensitivity) / below : 0;
};

const between = (values, place, i) => {
  const low = values[place.below + i];
  return low + place.weight * (values[place.above + i] - low);
};

/** FAR, FRR and utility of a class. */
const ratesOf = (i, place) => {
  const accepted = between(pairs.positive, place, i);
  const falseAccepts = between(pairs.negative, place, i);
  return {
    far: falseAccepts / negatives[i],
    frr: 1 - accepted / positives[i],
    utility: utilityOf(accepted, positives[i], falseAccepts, negatives[i]),
  };
};

const utilities = new Float64Array(classes);

/** Utility of every class at a threshold; the same array is filled every time. */
const utilitiesAt = (distance) => {
  const place = placeOf(distance);
  for (let i = 0; i < classes; i += 1) {
    utilities[i] = utilityOf(
      between(pairs.positive, place, i),
      positives[i],
      between(pairs.negative, place, i),
      negatives[i],
    );
  }
  return utilities;
};

/** The `count` classes of the lowest utility, the lowest first. */
const lowest = (values, count) => {
  const found = [];
  for (let i = 0; i < classes; i += 1) {
    if (found.length < count || values[i] < values[found[found.length - 1]]) {
      let at = found.length;
      while (at > 0 && values[found[at - 1]] > values[i]) at -= 1;
      found.splice(at, 0, i);
      if (found.length > count) found.pop();
    }
  }
  return found;
};

// Texts, as the page itself has them: see percents.py.

const significant = (value, digits) => {
  const rounded = Number(value.toPrecision(digits));
  if (rounded === 0) return "0";
  const decimals = Math.max(0, digits - Math.floor(Math.log10(Math.abs(rounded))));
  const text = rounded.toFixed(Math.min(decimals, 100));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
};

const percent = (rate) =>
  rate === null || Number.isNaN(rate) ? "–" : `${significant(100 * rate, 3)}\u00a0%`;

const percentBetween = ([low, high]) => {
  const digits = high > 1.1 * low ? 2 : 3;
  return `${significant(100 * low, digits)} to ${significant(100 * high, digits)}\u00a0%`;
};

const whole = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

/** A name on its own: its direction changes nothing around it. */
const nameOf = (place) => {
  const name = columns.names[place];
  const made = element("bdi", { class: "name" }, name);
  if (name.length > 40) {
    made.title = name;
    made.classList.add("long");
  }
  return made;
};
