// Drawings of cells with numbers in them, letter for letter as cnnlib.explorers.cells writes them.
const CELL = 40;
const cell = (i, j, value, kind, note, lost) => {
  const x = j * CELL, y = i * CELL, text = number(value);
  const marks = (lost ? `<path class=lost d="M${x} ${y}l${CELL} ${CELL}"/>` : "") +
    `<text${text.length > 4 ? " class=s" : ""} x=${x + 20} y=${y + (note ? 18 : 26)}>${text}</text>` +
    (note ? `<text class=w x=${x + 20} y=${y + 35}>${note}</text>` : "");
  return [kind, i, j, marks];
};
// For each kind the path of its squares: neighbours in a row are one box with lines in it.
const squares = (cells) => {
  const runs = [], paths = {};
  let run = [];
  for (const [kind, i, j] of cells)
    if (run[0] === kind && run[1] === i && run[2] + run[3] === j) run[3] += 1;
    else runs.push(run = [kind, i, j, 1]);
  for (const [kind, i, j, count] of runs)
    paths[kind] = (paths[kind] ?? "") + `M${j * CELL} ${i * CELL}h${count * CELL}v${CELL}h-${count * CELL}z` +
      range(count - 1).map((at) => `m${CELL}${at ? -CELL : " 0"}v${CELL}`).join("");
  return paths;
};
const panel = (name, title, values, draw, frame, over = [0, 0, 0, 0]) => {
  const [top, left, below, right] = over.map((cells) => cells * CELL), [y, x, rows, columns] = (frame ?? []).map((size) => size * CELL);
  const height = values.length * CELL + top + below, width = values[0].length * CELL + left + right;
  const cells = values.flatMap((row, i) => row.map((value, j) => draw(i, j, value)));
  return `<div><div>${title}</div>` +
    `<svg data-p=${name} viewBox="${-3 - left} ${-3 - top} ${width + 6} ${height + 6}" role="img" ` +
    `aria-label="${title}: ${listed(values)}" style="width:${width + 6}px;min-width:${Math.floor((width * 17) / 20)}px">` +
    Object.entries(squares(cells)).map(([kind, path]) => `<path class=${kind} d="${path}"/>`).join("") +
    cells.map(([, , , marks]) => marks).join("") +
    (frame ? `<path class=fr d="M${x} ${y}h${columns}v${rows}h-${columns}z"/>` : "") + "</svg></div>";
};
// The window is moved by sliders, keys and pointer: to place `at` of `steps`, of which `columns` stand in a row. It
// stands in the drawings whose name begins with w; in the one called pl a single cell is framed, in others nothing.
const steered = ({ columns, steps }, at) => {
  seek();
  const move = (name, value, count) => {
    if (!control(name)) return;
    control(name).max = count - 1;
    control(name).value = value;
  };
  move("row", Math.floor(at / columns), steps / columns);
  move("column", at % columns, columns);
};
const steer = (go) => {
  const at = (place) => go({ at: place });
  for (const name of ["row", "column"])
    if (control(name)) control(name).oninput = () => at(+(control("row")?.value ?? 0) * model.columns + +control("column").value);
  keys(stage, () => {
    const { columns, steps } = model, here = now.at, column = here % columns;
    return {
      ArrowLeft: column ? here - 1 : here, ArrowRight: column < columns - 1 ? here + 1 : here, Home: 0, End: steps - 1,
      ...(control("row") && {
        ArrowUp: here < columns ? here : here - columns, ArrowDown: here + columns < steps ? here + columns : here,
      }),
    };
  }, at);
  draggable(stage, (target) => {
    const name = target.closest("svg")?.dataset.p;
    return name && /^w|^pl$/.test(name) ? name : null;
  }, (name, x, y) => {
    const { across, down, columns, over = [0, 0] } = model;
    const grip = [
      x / CELL + over[1] - (now.at % columns) * across.s, y / CELL + over[0] - Math.floor(now.at / columns) * down.s,
    ];
    return grip[0] >= 0 && grip[0] <= across.f && grip[1] >= 0 && grip[1] <= down.f ? grip : null;
  }, (name, x, y, grip) => {
    const { down, across, columns, steps, over = [0, 0] } = model, single = name === "pl";
    const [dX, dY] = single ? [0.5, 0.5] : grip ?? [across.f / 2, down.f / 2];
    const [inX, inY] = single ? [dX, dY] : [dX - over[1], dY - over[0]];
    const column = clamp(Math.round((x / CELL - inX) / (single ? 1 : across.s)), 0, columns - 1);
    at(clamp(Math.round((y / CELL - inY) / (single ? 1 : down.s)), 0, steps / columns - 1) * columns + column);
  });
};
