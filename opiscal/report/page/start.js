// Begins: until here the page is as it is without scripts.

document.querySelectorAll(".picture > svg").forEach(quietTitle);
for (const kind of Object.keys(data.figures).filter((name) => ON_DISTANCE.includes(name))) {
  const overlay = overlayOf(kind);
  if (overlay) {
    overlays.push(overlay);
    listen(overlay, jump);
  }
}
slider.max = String(stops.distance.length - 1);
slider.addEventListener("input", () => setStop(Number(slider.value)));
makeJumps();
makeTable();
setStop(data.start);
document.querySelector("#pinned .release").addEventListener("click", () => {
  const row = body.querySelector("tr.chosen button") ?? search;
  pin(pinned);
  row.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  hideTip();
  if (pinned >= 0) pin(pinned);
});
for (const shownNow of document.querySelectorAll(".script-only:not(#pinned, .more)")) shownNow.hidden = false;
for (const gone of document.querySelectorAll(".no-script")) gone.hidden = true;
