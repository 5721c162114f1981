// What the reader's browser keeps of all quizzes, as a list that can be saved, read again and erased.
const items = [...root.querySelectorAll("li[data-q]")], known = items.map((item) => item.dataset.q);
const link = (item) => item.querySelector("a");
for (const item of items) {
  if (inBook) continue;
  if (data.site) link(item).href = data.site + link(item).getAttribute("href");
  else link(item).removeAttribute("href");
}
const forget = () => {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // there is nothing to forget
  }
};
// Of what a file or an older book left, only what this book asks and what is of the right type.
const sound = (all) =>
  Object.fromEntries(
    known.filter((place) => all && all[place] && typeof all[place] === "object").map((place) => {
      const { tries, right, last, slip, said, time } = all[place];
      const text = (value) => (value === undefined ? undefined : String(value).slice(0, 400));
      return [place, { tries: Math.floor(+tries) || 0, right: Math.floor(+right) || 0, last: text(last), slip: text(slip), said: text(said), time: text(time) }];
    }).filter(([, one]) => one.tries > 0),
  );
const show = () => {
  const all = sound(kept()), again = region("again"), counts = { all: items.length, tried: 0, right: 0, review: 0 };
  again.replaceChildren();
  for (const part of root.querySelectorAll("details")) {
    let right = 0, tried = 0;
    const its = [...part.querySelectorAll("li")];
    for (const item of its) {
      const one = all[item.dataset.q], told = item.querySelector("span"), good = one && one.last === "right";
      item.className = one ? (good ? "cx-good" : "cx-again") : "";
      told.textContent = `: ${!one ? words.open : good ? fill(one.tries > 1 ? words.right_after : words.right, one) : fill(words.review, { said: one.said })}`;
      if (!one) continue;
      tried += 1;
      if (good) right += 1;
      else again.append(item.cloneNode(true));
    }
    counts.tried += tried;
    counts.right += right;
    part.querySelector("summary span").textContent = `(${fill(words.chapter, { right, count: its.length })})`;
    part.open = tried > 0;
  }
  counts.review = counts.tried - counts.right;
  again.hidden = !counts.review;
  control("erase").disabled = control("export").disabled = !counts.tried;
  return counts;
};
const say = (text) => { region("summary").textContent = text; };
const summary = (before) => {
  const counts = show(), { all, tried, right } = counts;
  say([before, !tried ? words.none : right === all ? fill(words.every, counts) : fill(words.summary, counts)].filter(Boolean).join(" "));
};
control("export").onclick = () => {
  const text = JSON.stringify({ course: KEY, answers: sound(kept()) }, null, 1), file = document.createElement("a");
  file.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  file.download = words.file;
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 1000);
};
control("import").onchange = async ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  let given;
  try {
    const { course, answers } = JSON.parse(await file.text());
    given = course === KEY ? sound(answers) : {};
  } catch {
    given = {};
  }
  const all = kept(), count = Object.keys(given).length;
  // The later of two answers to one question stays.
  for (const [place, one] of Object.entries(given))
    if (!all[place] || String(all[place].time) < String(one.time)) all[place] = one;
  if (!count) summary(words.not_imported);
  else summary(keep(all) ? fill(words.imported, { count }) : words.not_kept);
};
control("erase").onclick = () => {
  if (!confirm(fill(words.erase_really, show()))) return;
  forget();
  summary(words.erased);
};
root.querySelector(".cx-controls").hidden = false;
summary(keep(kept()) ? "" : words.not_kept);
// What is answered in another tab is seen here.
addEventListener("storage", ({ key }) => root.isConnected && key === KEY && summary());
