// The threshold control: a slider, buttons, and what is found at the threshold.

const slider = document.getElementById("slider");
const atThreshold = document.getElementById("at-threshold");
const told = document.getElementById("told");
const jumps = [];
const MOST_SUFFERING = 10;
const scaleNames =
  data.metric === "cosine"
    ? ["cosine similarity ≥", "unit L2 distance ≤", "cosine distance, 1 − similarity ≤", "squared L2 distance ≤"]
    : ["L2 distance ≤", "squared L2 distance ≤"];
let stop = data.start;
let pinned = -1;

const withInterval = (rate, intervals, at) =>
  intervals ? [percent(rate), element("span", { class: "ci" }, ` ${percentBetween(intervals[at])}`)] : [percent(rate)];

const shareText = (count) => `${whole(count)} of ${whole(data.classes)}`;

const lines = [
  ...scaleNames.map((name, k) => [name, (at) => [stops.scales[at][k]]]),
  ["FAR over all pairs", (at) => withInterval(stops.far[at], stops.farCi, at)],
  ["FRR over all pairs", (at) => withInterval(stops.frr[at], stops.frrCi, at)],
  ["mean utility of the classes", (at) => [stops.utility[at].toFixed(4)]],
  ...(stops.fpir ? [["FPIR", (at) => [percent(stops.fpir[at])]]] : []),
  ...(stops.fnir ? [["FNIR", (at) => [percent(stops.fnir[at])]]] : []),
  ["classes with more than twice that FAR", (at) => [shareText(stops.farSuffers[at])]],
  ["classes with more than twice that FRR", (at) => [shareText(stops.frrSuffers[at])]],
].map(([name, read]) => {
  const cell = element("td", { class: "n" });
  document.querySelector("#here tbody").append(element("tr", {}, element("th", { scope: "row" }, name), cell));
  return { cell, read };
});

const inWords = (at) => {
  const name = data.metric === "cosine" ? "similarity" : "L2 distance";
  return `${name} ${stops.scales[at][0]}, FAR ${percent(stops.far[at])}, FRR ${percent(stops.frr[at])}`;
};

const sufferingRow = (i, place) => {
  const { far, frr, utility } = ratesOf(i, place);
  const button = element("button", { type: "button", class: "class" }, nameOf(i));
  button.addEventListener("click", () => pin(i));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, button),
    element("td", { class: "n" }, utility.toFixed(4)),
    element("td", { class: "n" }, percent(far)),
    element("td", { class: "n" }, percent(frr)),
  );
};

const showPinned = () => {
  const panel = document.getElementById("pinned");
  panel.hidden = pinned < 0;
  if (pinned < 0) return;
  const { far, frr, utility } = ratesOf(pinned, placeOf(stops.distance[stop]));
  panel.querySelector(".which").replaceChildren(nameOf(pinned));
  panel.querySelector(".numbers").textContent =
    ` utility ${utility.toFixed(4)}, FAR ${percent(far)}, FRR ${percent(frr)} at this threshold`;
};

const setStop = (at) => {
  stop = Math.min(Math.max(at, 0), stops.distance.length - 1);
  const distance = stops.distance[stop];
  slider.value = String(stop);
  slider.setAttribute("aria-valuetext", inWords(stop));
  atThreshold.textContent = inWords(stop);
  for (const { cell, read } of lines) cell.replaceChildren(...read(stop));
  for (const { button, at: place } of jumps) {
    button.setAttribute("aria-pressed", String(place === stop));
  }
  const place = placeOf(distance);
  const suffering = lowest(utilitiesAt(distance), MOST_SUFFERING);
  document.querySelector("#suffer tbody").replaceChildren(...suffering.map((i) => sufferingRow(i, place)));
  drawThreshold(distance);
  showPinned();
};

/** A jump is told: a slider says its own value, a button or a click in a figure does not. */
const jump = (at) => {
  setStop(at);
  told.textContent = `Threshold: ${inWords(stop)}`;
};

const makeJumps = () => {
  const group = document.getElementById("jumps");
  for (const [name, at] of data.marks) {
    const button = element("button", { type: "button", "aria-pressed": "false" }, name);
    button.addEventListener("click", () => jump(at));
    jumps.push({ button, at });
    group.append(button);
  }
};
