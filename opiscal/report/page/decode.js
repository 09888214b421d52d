// Coded numbers of the page: see whole_numbers.py.

const bytesOf = (text) => {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  return bytes;
};

/** Calls `take(number, place)` for every whole number of a code. */
const eachNumber = (bytes, take) => {
  let place = 0;
  let number = 0;
  let times = 1;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i];
    // Counts go beyond 32 bits: products, not shifts.
    number += (byte & 127) * times;
    if (byte > 127) {
      times *= 128;
    } else {
      take(number, place);
      place += 1;
      number = 0;
      times = 1;
    }
  }
};

const wholeNumbers = (text, count) => {
  const out = new Float64Array(count);
  eachNumber(bytesOf(text), (number, place) => {
    out[place] = number;
  });
  return out;
};

const floats = (text, count) => {
  const view = new DataView(bytesOf(text).buffer);
  return Float64Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
};

/** Accepted positives and negatives: of class `i` at edge `k` in place `k * classes + i`. */
const acceptedPairs = (text, classes, edges) => {
  const positive = new Float64Array(classes * edges);
  const negative = new Float64Array(classes * edges);
  const perClass = 2 * edges;
  let sum = 0;
  let k = 0;
  let i = 0;
  eachNumber(bytesOf(text), (step) => {
    if (k === 0 || k === edges) sum = 0;
    sum += step;
    if (k < edges) positive[k * classes + i] = sum;
    else negative[(k - edges) * classes + i] = sum;
    k += 1;
    if (k === perClass) {
      k = 0;
      i += 1;
    }
  });
  return { positive, negative };
};
