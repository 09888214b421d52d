// What moves over the figures: the line of the threshold, curves of single classes, the pointer.

const SVG = "http://www.w3.org/2000/svg";
const ON_DISTANCE = ["utility-curves", "rates", "distances", "distances-log"];
const tip = document.getElementById("tip");
const overlays = [];

const drawn = (tag, attributes) => {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

const scaled = (value, [low, high], scale) =>
  scale === "log"
    ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
    : (value - low) / (high - low);

const overlayOf = (kind) => {
  const figure = document.getElementById(`figure-${kind}`);
  const axes = data.figures[kind];
  const svg = figure && figure.querySelector("svg");
  if (!svg || !axes) return null;
  const { left, right, top, bottom } = axes;
  const box = { x: left, y: Math.min(top, bottom), width: right - left, height: Math.abs(bottom - top) };
  const clip = drawn("clipPath", { id: `over-${kind}` });
  clip.append(drawn("rect", box));
  const layer = drawn("g", { class: "over", "clip-path": `url(#over-${kind})` });
  const line = drawn("line", { class: "threshold", y1: top, y2: bottom });
  layer.append(line);
  svg.append(clip, layer);
  const x = (distance) => left + (right - left) * scaled(distance, axes.x, axes.xScale);
  const y = (value) => bottom + (top - bottom) * scaled(value, axes.y, axes.yScale);
  const distanceAt = (across) => {
    const share = (across - left) / (right - left);
    const [low, high] = axes.x;
    return axes.xScale === "log" ? low * (high / low) ** share : low + share * (high - low);
  };
  return { kind, axes, box, distanceAt, layer, line, svg, x, y, curves: {} };
};

/** A name for a screen reader in place of a title, which browsers show over what the pointer is at. */
const quietTitle = (svg) => {
  const title = svg.querySelector("title");
  if (!title) return;
  svg.setAttribute("aria-label", title.textContent);
  svg.removeAttribute("aria-labelledby");
  const said = svg.querySelector("desc");
  if (said && said.id) svg.setAttribute("aria-describedby", said.id);
  title.remove();
};

/** Where a pointer is, in the units of the figure; null outside the axes. */
const pointIn = (overlay, event) => {
  const matrix = overlay.svg.getScreenCTM();
  if (!matrix) return null;
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  const { x, y, width, height } = overlay.box;
  const inside = point.x >= x && point.x <= x + width && point.y >= y && point.y <= y + height;
  return inside ? point : null;
};

const curvePath = (overlay, i, read) => {
  const [low, high] = overlay.axes.x;
  const first = Math.max(firstAtLeast(edges, low) - 1, 0);
  const last = Math.min(firstAtLeast(edges, high), edges.length - 1);
  const steps = [];
  for (let k = first; k <= last; k += 1) {
    const place = { below: k * classes, above: k * classes, weight: 0 };
    steps.push(`${overlay.x(edges[k]).toFixed(2)} ${overlay.y(read(ratesOf(i, place))).toFixed(2)}`);
  }
  return `M${steps.join("L")}`;
};

const READS = {
  "utility-curves": [["utility", (rates) => rates.utility]],
  rates: [
    ["far", (rates) => rates.far],
    ["frr", (rates) => rates.frr],
  ],
};

/** Draws the curves of a class under a role, or takes those of -1 away. */
const drawClass = (i, role) => {
  for (const overlay of overlays) {
    for (const [name, read] of READS[overlay.kind] ?? []) {
      const key = `${role}-${name}`;
      if (i < 0) {
        overlay.curves[key]?.remove();
        delete overlay.curves[key];
      } else {
        overlay.curves[key] ??= overlay.layer.appendChild(drawn("path", { class: `${role} ${name}` }));
        overlay.curves[key].setAttribute("d", curvePath(overlay, i, read));
      }
    }
  }
};

const drawThreshold = (distance) => {
  for (const overlay of overlays) {
    const x = overlay.x(distance).toFixed(2);
    overlay.line.setAttribute("x1", x);
    overlay.line.setAttribute("x2", x);
  }
};

const nearestClass = (distance, utility) => {
  const found = utilitiesAt(distance);
  let nearest = -1;
  let least = Infinity;
  for (let i = 0; i < classes; i += 1) {
    const away = Math.abs(found[i] - utility);
    if (away < least) {
      least = away;
      nearest = i;
    }
  }
  return nearest;
};

const hideTip = () => {
  tip.hidden = true;
  drawClass(-1, "hovered");
};

const showTip = (event, i, distance) => {
  const { far, frr, utility } = ratesOf(i, placeOf(distance));
  tip.replaceChildren(
    element("strong", {}, nameOf(i)),
    element("span", {}, `utility ${utility.toFixed(3)}`),
    element("span", {}, `FAR ${percent(far)} · FRR ${percent(frr)}`),
  );
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = document.documentElement.clientWidth - width - 8;
  const left = Math.max(8, Math.min(event.clientX + 14, right));
  const above = event.clientY - height - 14;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < 8 ? event.clientY + 18 : above}px`;
};

const follow = (overlay, event) => {
  const point = pointIn(overlay, event);
  if (!point) {
    hideTip();
    return;
  }
  const distance = overlay.distanceAt(point.x);
  const { top, bottom, y } = overlay.axes;
  const utility = y[0] + ((point.y - bottom) / (top - bottom)) * (y[1] - y[0]);
  const i = nearestClass(distance, utility);
  drawClass(i, "hovered");
  showTip(event, i, distance);
};

const listen = (overlay, choose) => {
  const picture = overlay.svg.parentElement;
  picture.classList.add("live");
  picture.addEventListener("click", (event) => {
    const point = pointIn(overlay, event);
    if (point) choose(nearestOf(stops.distance, overlay.distanceAt(point.x)));
  });
  if (overlay.kind !== "utility-curves") return;
  let waiting = null;
  const move = (event) => {
    // One drawing a frame, of the last place.
    if (!waiting) {
      requestAnimationFrame(() => {
        const last = waiting;
        waiting = null;
        if (last) follow(overlay, last);
      });
    }
    waiting = event;
  };
  picture.addEventListener("pointermove", move);
  picture.addEventListener("pointerdown", move);
  picture.addEventListener("pointerleave", (event) => {
    // A finger that is lifted leaves what it found.
    if (event.pointerType === "touch") return;
    waiting = null;
    hideTip();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!picture.contains(event.target)) hideTip();
  });
  document.addEventListener("scroll", hideTip, { passive: true });
};
