// A quiz: answers are judged as cnnlib.exercises.checks.check does.
const rounded = (value) => (Array.isArray(value) ? value.map(rounded) : Math.round(value * 1000) / 1000);
// A sentence that ends with what to ask oneself.
const asked = (question, text, answer) => {
  const [ask, chapter] = question.say[0];
  return { text: fill(text, { answer, question: ask }), chapter: data.chapters[chapter] };
};
// The judgement of an answer (a text, or the place of an option): its state, what to say, the chapter, the slip.
const judge = (question, draw, answer) => {
  const [, wrong, right] = question.draws[draw];
  const slipped = ([at, , ...gaps], shown) => {
    const [text, chapter] = question.say[at + 1];
    return { state: "slip", text: fill(text, { ...gaps, answer: shown }), chapter: data.chapters[chapter], slip: question.slips[at] };
  };
  if (question.form === "choice") {
    if (answer < 0) return { state: "empty", text: words.empty };
    return wrong[answer][0] < 0 ? { state: "right", text: data.told.right } : slipped(wrong[answer]);
  }
  const { read, same, show } = FORMS[question.form], said = answer.trim();
  if (!said) return { state: "empty", text: words.empty };
  try {
    const text = said.replace(/[−–]/g, "-").replace(/[\u00a0\u2009\u202f]/g, " "), value = read(text, said, question);
    if (same(value, right)) {
      const pointed = question.form === "number" && Number.isInteger(value) && /[./]|,(?!\d{3})/.test(text);
      return { state: "right", text: data.told[pointed ? "right-whole" : "right"] };
    }
    const found = wrong.find(([, other]) => same(value, other));
    const unknown = data.told[question.form === "array" ? "unknown-array" : "unknown"];
    return found ? slipped(found, show(value)) : { state: "wrong", ...asked(question, unknown, show(value)) };
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    return { state: "form", text: problem.message };
  }
};
root.quiz = { judge: (q, draw, answer) => judge(data.questions[q], draw, answer), questions: data.questions };
data.questions.forEach((question, q) => {
  const form = root.querySelector(`[data-q="${q}"]`), typing = control(`in${q}`), place = `${data.quiz}/${q + 1}`;
  const text = region(`text${q}`), options = region(`options${q}`), result = region(`say${q}`), show = control(`show${q}`);
  let draw = 0, misses = 0, over = false, missed = "";
  text.id = `${id}-text${q}`;
  (typing || options).setAttribute(typing ? "aria-describedby" : "aria-labelledby", text.id);
  if (options) options.setAttribute("role", "radiogroup");
  const say = ({ state, text: said, chapter }) => {
    result.className = `cx-say cx-${state}`;
    result.replaceChildren(said);
    if (!chapter) return;
    const [name, page] = chapter, link = document.createElement(inBook || data.site ? "a" : "span");
    if (inBook || data.site) link.href = (inBook ? "" : data.site) + page;
    link.textContent = name;
    result.append(" ", link);
  };
  const mark = () => { region(`done${q}`).textContent = (kept()[place] || {}).right > 0 ? `✓ ${words.done}` : ""; };
  const note = ({ state, text: said, slip }) => {
    const all = kept(), one = { tries: 0, right: 0, ...all[place] };
    one.tries += 1;
    one.last = state;
    one.time = new Date().toISOString();
    delete one.slip;
    delete one.said;
    if (state === "right") one.right += 1;
    else Object.assign(one, { slip, said });
    keep({ ...all, [place]: one });
    mark();
  };
  const begin = () => {
    const [gaps, offered] = question.draws[draw];
    text.innerHTML = question.text.map((piece, i) => piece + (gaps[i] ?? "")).join("");
    if (options) {
      options.querySelectorAll("label").forEach((one) => one.remove());
      for (const [, shown] of offered)
        options.insertAdjacentHTML("beforeend", `<label><input type="radio" name="quiz-${data.quiz}-${q}" data-lm-suppress-shortcuts="true"> <span>${shown}</span></label>`);
    } else typing.value = "";
    say({ state: "empty", text: "" });
    misses = 0;
    over = false;
    missed = "";
    show.hidden = true;
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const answer = options ? [...options.querySelectorAll("input")].findIndex((one) => one.checked) : typing.value;
    const verdict = judge(question, draw, answer), { state } = verdict;
    say(verdict);
    if (typing) typing.setAttribute("aria-invalid", state === "form");
    if (state === "empty" || state === "form" || over || missed === verdict.text) return;
    note(verdict);
    if (state === "right") over = true;
    else {
      misses += 1;
      missed = verdict.text;
    }
    show.hidden = over || misses < 2;
  };
  // JupyterLab keeps the key from the browser, which would do the same.
  form.onkeydown = (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    form.requestSubmit();
  };
  control(`new${q}`).hidden = question.draws.length < 2;
  control(`new${q}`).onclick = () => {
    draw = (draw + 1 + Math.floor(Math.random() * (question.draws.length - 1))) % question.draws.length;
    begin();
    (typing || options.querySelector("input")).focus();
  };
  show.onclick = () => {
    const [, offered, right] = question.draws[draw], found = options && offered.find(([slip]) => slip < 0)[1];
    const answer = options ? Object.assign(document.createElement("p"), { innerHTML: found }).textContent : FORMS[question.form].show(rounded(right));
    over = true;
    say({ state: "shown", ...asked(question, words.shown, answer) });
    show.hidden = true;
    (typing || options.querySelector("input")).focus();
  };
  form.querySelector("details").hidden = true;
  for (const part of form.querySelectorAll(".cx-controls")) part.hidden = false;
  mark();
});
