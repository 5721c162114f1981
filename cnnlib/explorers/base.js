// What the scripts of all explorers share.
// Three decimals and a true minus sign: cnnlib.explorers.base.number.
const number = (value) => String(Math.floor(value * 1000 + 0.5) / 1000).replace("-", "−");
const factor = (value) => (number(value)[0] === "−" ? `(${number(value)})` : number(value));
const listed = (rows) => rows.map((row) => row.map(number).join(", ")).join("; ");
const products = (window, weights, total) =>
  window.flatMap((row, i) => row.map((x, j) => `${factor(weights[i][j])}·${factor(x)}`)).join(" + ") + ` = ${number(total)}`;
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const range = (count) => [...Array(count).keys()];
// The part of the address behind # that is this explorer's, packed into letters that may stand in a CSS selector:
// themes look for an element by it.
const pack = (state) => btoa(new URLSearchParams(state)).replace(/\+/g, "-").replace(/[/]/g, "_").replace(/=/g, "");
const linked = () => {
  if (!location.hash.startsWith(`#${id}--`)) return null;
  try {
    return new URLSearchParams(atob(location.hash.slice(id.length + 3).replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return null;
  }
};
let writing, begun = false;
// The first state is not written: the reader did nothing yet.
const link = (state) => {
  const hash = `#${id}--${pack(state)}`;
  control("link").href = hash;
  clearTimeout(writing);
  // JupyterLab keeps its own affairs in the address.
  if (begun && inBook) writing = setTimeout(() => history.replaceState(history.state, "", hash), 250);
  begun = true;
};
const followLinks = (take) => {
  const arrive = () => {
    const found = linked();
    if (!found) return;
    take(found);
    root.scrollIntoView({ block: "nearest" });
  };
  addEventListener("hashchange", () => root.isConnected && arrive());
  arrive();
};
// The pointer moves something over one of the drawings that `find` knows; `move` gets units of the drawing.
const GRIP = ".hit,.fr";
const draggable = (area, find, start, move) => {
  let held = null, moved = false;
  const spot = (drawing, event) => {
    const box = drawing.getBoundingClientRect(), all = drawing.viewBox.baseVal, scale = all.width / box.width;
    return [all.x + (event.clientX - box.left) * scale, all.y + (event.clientY - box.top) * scale];
  };
  area.addEventListener("pointerdown", (event) => {
    const name = find(event.target);
    if (!name || event.button) return;
    moved = false;
    // A finger beside the window scrolls the page.
    if (event.pointerType !== "mouse" && !event.target.closest(GRIP)) return;
    const drawing = area.querySelector(`[data-p="${name}"]`);
    held = { name, grip: start(name, ...spot(drawing, event)) };
    area.setPointerCapture(event.pointerId);
    event.preventDefault();
    area.focus({ preventScroll: true });
  });
  area.addEventListener("pointermove", (event) => {
    if (!held) return;
    moved = true;
    move(held.name, ...spot(area.querySelector(`[data-p="${held.name}"]`), event), held.grip);
  });
  // A finger on the window does not scroll.
  area.addEventListener("touchstart", (event) => event.target.closest(GRIP) && event.preventDefault(), { passive: false });
  for (const end of ["pointerup", "pointercancel"])
    area.addEventListener(end, () => { held = null; });
  area.addEventListener("click", (event) => {
    const target = document.elementFromPoint(event.clientX, event.clientY);
    const name = target && area.contains(target) && find(target);
    if (!name || moved) return;
    move(name, ...spot(area.querySelector(`[data-p="${name}"]`), event), null);
  });
};
