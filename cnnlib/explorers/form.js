// Explorers with settings: what the reader typed is read, solved and shown, or refused in the library's words.
class Refused extends Error {}
const refuse = (word, values) => { throw new Refused(fill(words[word], values)); };
const LARGEST = 10000;
const shown = (text) => (text !== "" && Number.isFinite(+text) ? String(+text) : `'${text}'`);
const whole = (least, most) => (text, name) => {
  const value = +text;
  if (text === "" || !Number.isInteger(value) || value < least) refuse("whole", { name, least, value: shown(text) });
  if (value > most) refuse("at_most", { name, most, value });
  return value;
};
const real = (text, name) => {
  const value = +text.replace("−", "-");
  if (text === "" || !(value >= -LARGEST && value < LARGEST))
    refuse("no_number", { name, least: -LARGEST, below: LARGEST, value: shown(text) });
  return value;
};
const table = (text, name) => {
  const rows = text.split(/[\n;]/).map((line) => line.split(/[\s,]+/).filter(Boolean)).filter((row) => row.length);
  if (!rows.length) refuse("empty", { name });
  if (rows.some((row) => row.length !== rows[0].length)) refuse("ragged", { name });
  return rows.map((row) => row.map((word) => real(word, name)));
};
const asIs = (text) => text;
const isOn = (text) => text === "1";
const typed = (name) => (control(name).type === "checkbox" ? String(+control(name).checked) : control(name).value.trim());
const type = (name, text) => {
  if (control(name).type === "checkbox") control(name).checked = isOn(text);
  else control(name).value = text;
};
// A state is what was typed, by `fields`: name → how its text is read. `solve` makes a model of it. `bound` keeps a
// place inside a model; `regions` writes the model at a place; `after` sets the controls that belong to a place.
let model, now = data.start;
const explore = ({ fields, solve, bound, regions, before = () => {}, after = () => {}, stop = () => {} }) => {
  const names = Object.keys(fields), form = root.querySelector("form");
  let good;
  const show = (place) => {
    now = bound(model, place);
    write(regions(model, now));
    after(model, now);
    link({ ...good, ...now });
  };
  const update = (place = now) => {
    const error = region("error");
    before();
    try {
      model = solve(Object.fromEntries(names.map((name) => [name, fields[name](typed(name), name)])));
      good = Object.fromEntries(names.map((name) => [name, typed(name)]));
      error.hidden = true;
      error.textContent = "";
      root.classList.remove("cx-stale");
      show(place);
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      stop();
      error.textContent = problem.message;
      error.hidden = false;
      root.classList.add("cx-stale");
    }
  };
  const reset = () => { stop(); form.reset(); update(data.start); };
  form.onsubmit = () => false;
  for (const name of names) control(name).oninput = () => { stop(); update(); };
  control("reset").onclick = reset;
  form.hidden = false;
  reset();
  followLinks((given) => {
    stop();
    for (const name of names) if (given.has(name)) type(name, given.get(name));
    update(Object.fromEntries(Object.keys(now).map((name) => [name, Math.floor(+given.get(name)) || 0])));
  });
  root.explorer = { regions: (state, place) => { const one = solve(state); return regions(one, bound(one, place)); } };
  return { show, update, go: (change) => { stop(); show({ ...now, ...change }); } };
};
// On a phone a long drawing scrolls with what is framed in it.
const stage = region("panels");
const seek = () => {
  const frame = stage.querySelector(".fr").getBoundingClientRect(), box = stage.getBoundingClientRect();
  if (frame.left < box.left || frame.right > box.right) stage.scrollLeft += frame.left - box.left - 20;
};
// Keys on a drawing: `goals` gives for each key the place that it goes to.
const keys = (stage, goals, go) => {
  stage.onkeydown = (event) => {
    const goal = event.ctrlKey || event.altKey || event.metaKey ? undefined : goals()[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    go(goal);
  };
};
