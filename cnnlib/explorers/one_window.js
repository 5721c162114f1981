// One window of a photograph. The pixels are read from the picture itself, which is a PNG of greys.
const { kernels, start } = data;
const CELL = 40, GAP = 32, MARGIN = 3.5, REACH = 11, BRIGHT = 118;
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const image = (name) => root.querySelector(`[data-i="${name}"]`);
const unpack = async (url) => {
  const bytes = bytesOf(url.split(",")[1]), view = new DataView(bytes.buffer);
  const width = view.getUint32(16), height = view.getUint32(20), length = view.getUint32(33);
  const packed = new Blob([bytes.slice(41, 41 + length)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(packed).arrayBuffer());
  // Every row begins with the number of its filter, and holds differences from the row above.
  const rows = [];
  for (const i of range(height))
    rows.push([...raw.subarray(i * (width + 1) + 1, (i + 1) * (width + 1))].map((d, j) => (d + (i && rows[i - 1][j])) & 255));
  return rows;
};
const weigh = (window, weights) =>
  window.reduce((sum, line, i) => line.reduce((part, x, j) => part + x * weights[i][j], sum), 0);
const windowAt = (pixels, row, column) =>
  kernels[0].map((line, i) => line.map((_, j) => pixels[row + i][column + j]));
const feature = (pixels, kernel) =>
  range(pixels.length - kernels[0].length + 1).map((i) =>
    range(pixels[0].length - kernels[0][0].length + 1).map((j) => weigh(windowAt(pixels, i, j), kernels[kernel])));
const shades = (map) => {
  const largest = map.flat().reduce((most, v) => Math.max(most, Math.abs(v)), 0) * 0.6 || 1;
  return map.map((line) => line.map((v) => Math.floor(clamp((v / largest + 1) / 2, 0, 1) * 255 + 0.5)));
};
// A bitmap, which needs no packing: rows from below, each of a multiple of four bytes.
const bitmap = (rows) => {
  const width = rows[0].length, height = rows.length, stride = (width + 3) & ~3, head = 54 + 1024;
  const bytes = new Uint8Array(head + stride * height), view = new DataView(bytes.buffer);
  view.setUint16(0, 0x424d);
  for (const [at, value] of [[2, bytes.length], [10, head], [14, 40], [18, width], [22, height], [46, 256]])
    view.setUint32(at, value, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 8, true);
  for (const grey of range(256)) bytes.fill(grey, 54 + 4 * grey, 57 + 4 * grey);
  rows.forEach((row, i) => bytes.set(row, head + (height - 1 - i) * stride));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return "data:image/bmp;base64," + btoa(text);
};

// --- one window as HTML, letter for letter as Python writes the first ---
const frame = (row, column, height, width) =>
  [["hit", REACH], ["halo", MARGIN], ["fr", MARGIN]].map(([name, off]) => {
    const [x, y, w, h] = [column - off, row - off, width + 2 * off, height + 2 * off];
    return `<path class="${name}" d="M${x} ${y}h${w}v${h}h-${w}z"/>`;
  }).join("");
const cell = (x, y, text, look, ink = "") =>
  `<rect ${look} x=${x} y=${y} /><text ${ink} x=${x + 20} y=${y + 26}>${text}</text>`;
const numbers = (window, weights, total) => {
  const width = weights[0].length * CELL + GAP, height = weights.length * CELL, middle = (height >> 1) + 32;
  const title = (x, text) => `<text class="t" x=${x} y=18>${text}</text>`;
  const grid = (left, values, draw) =>
    values.map((line, i) => line.map((v, j) => draw(left + j * CELL, 26 + i * CELL, v)).join("")).join("");
  const sides = 2 * width + 2 * CELL + 4;
  return `<svg viewBox="-2 0 ${sides} ${28 + height}" role="img" ` +
    `aria-label="${listed(window)} × ${listed(weights)} = ${number(total)}" style="width:${sides}px">` +
    title(0, words.pixels) + title(width, words.weights) + title(2 * width, words.total) +
    grid(0, window, (x, y, v) =>
      cell(x, y, number(v), `style="fill:rgb(${v},${v},${v})"`, `style="fill:${v < BRIGHT ? "#fff" : "#000"}"`)) +
    grid(width, weights, (x, y, w) => cell(x, y, number(w), 'class="k"')) +
    `<text x=${width - GAP / 2} y=${middle}>×</text><text x=${2 * width - GAP / 2} y=${middle}>=</text>` +
    `<rect class="out wide" x=${2 * width} y=${middle - 26} /><text x=${2 * width + CELL} y=${middle}>${number(total)}</text></svg>`;
};
const regions = (pixels, kernel, row, column) => {
  const window = windowAt(pixels, row, column), weights = kernels[kernel], total = weigh(window, weights);
  return {
    numbers: numbers(window, weights, total),
    sum: products(window, weights, total),
    say: fill(words.say, { row, column, values: listed(window), sum: number(total) }),
    in: frame(row, column, weights.length, weights[0].length),
    out: frame(row, column, 1, 1),
  };
};

// --- the page ---
const begin = (pixels) => {
  const stage = region("panels"), [height, width] = [kernels[0].length, kernels[0][0].length];
  const rows = pixels.length - height + 1, columns = pixels[0].length - width + 1;
  let kernel, row, column;
  const show = (chosen, y, x) => {
    if (chosen !== kernel) image("pl").setAttribute("href", bitmap(shades(feature(pixels, chosen))));
    [kernel, row, column] = [chosen, clamp(y, 0, rows - 1), clamp(x, 0, columns - 1)];
    write(regions(pixels, kernel, row, column));
    control("kernel").value = kernel;
    control("row").value = row;
    control("column").value = column;
    link({ kernel, row, column });
  };
  const reset = () => show(start.kernel, start.row, start.column);
  const read = () => show(+control("kernel").value, +control("row").value, +control("column").value);
  for (const name of ["kernel", "row", "column"]) control(name).oninput = read;
  control("reset").onclick = reset;
  stage.onkeydown = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = event.shiftKey ? 10 : 1;
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!way) return;
    event.preventDefault();
    show(kernel, row + way[0] * step, column + way[1] * step);
  };
  draggable(stage, (target) => target.closest("svg")?.dataset.p, (name, x, y) => {
    const grip = [x - column, y - row];
    return Math.min(...grip) >= -REACH && grip[0] <= width + REACH && grip[1] <= height + REACH ? grip : null;
  }, (name, x, y, grip) => {
    const [left, top] = grip ?? (name === "pl" ? [0.5, 0.5] : [width / 2, height / 2]);
    show(kernel, Math.round(y - top), Math.round(x - left));
  });
  root.querySelector(".cx-controls").hidden = false;
  reset();
  followLinks((given) => {
    const whole = (name) => (/^\d+$/.test(given.get(name)) ? +given.get(name) : start[name]);
    show(Math.min(whole("kernel"), kernels.length - 1), whole("row"), whole("column"));
  });
  root.explorer = {
    pixels,
    regions: (chosen, y, x) => regions(pixels, chosen, y, x),
    shades: (chosen) => shades(feature(pixels, chosen)),
  };
};
// A browser that cannot unpack keeps the first window.
if (window.DecompressionStream) unpack(image("win").getAttribute("href")).then(begin);
