// Cells tagged `live` can be edited and run in the page. Python (Pyodide) is loaded when the first is run, from
// this site, into one worker for the page. Before a cell runs, the page's first cell (its imports) and the
// `live` and `live-setup` cells above it are run as printed, unless the reader ran them already. The printed
// output stays until a cell has another, and comes back by Reset.
(() => {
  const home = new URL(".", document.currentScript.src);
  const WORDS = {
    run: "Run",
    edit: "Edit",
    stop: "Stop",
    reset: "Reset",
    cell: (number, all) => `Live cell ${number} of ${all}`,
    code: (number) => `Code of live cell ${number}`,
    keys: "Shift+Enter runs. Tab indents; after Escape it leaves the field.",
    note: "Cells with a Run button can be changed and run here, in your browser. The first run loads Python from this site, 26 MB; nothing that you write leaves your computer. Cells that need Keras or photographs stay as printed, for a page cannot hold these: the notebook under Download runs them all.",
    file: "Live cells need a web server, and this page was opened as a file: see it with make serve.",
    loading: "Loading Python …",
    packages: "Loading packages …",
    running: "Running …",
    waiting: "Waiting for another cell …",
    done: (seconds) => `Done in ${seconds} s.`,
    failed: "An error: see below.",
    failedAt: (line) => `An error in line ${line}: see below.`,
    broken: (reason) => `Python could not be loaded or run here (${reason}). The printed output stands.`,
    stopped: "Stopped. Python starts afresh: what cells had computed is gone.",
    interrupted: "Stopped.",
    reset_: "As printed.",
  };
  const PATIENCE = 1500; // milliseconds that an interrupted cell has to end

  const box = (tag, attributes = {}, ...content) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...content);
    return made;
  };

  // --- The worker -----------------------------------------------------------------------------------

  let worker = null;
  let interrupts = null;
  let last = 0;
  const asked = new Map(); // by id, the cell that waits for an answer

  function ask(cell, prepare, source) {
    if (!worker) {
      worker = new Worker(new URL("worker.js", home), { type: "module" });
      worker.onmessage = ({ data: { id, ...message } }) => {
        if (message.end === "broken") end(message);
        else asked.get(id)?.hear(message);
      };
      worker.onerror = (event) => end({ end: "broken", reason: event.message || "the worker failed" });
      if (window.crossOriginIsolated) interrupts = new Uint8Array(new SharedArrayBuffer(1));
    }
    asked.set(++last, cell);
    worker.postMessage({ id: last, prepare, source, interrupts });
    return last;
  }

  // End the worker, and tell every cell that waits for it, or whose results it kept.
  function end(message) {
    worker?.terminate();
    worker = interrupts = null;
    for (const cell of cells) cell.ran = false;
    for (const cell of [...asked.values()]) cell.hear(message);
  }

  // --- Cells ----------------------------------------------------------------------------------------

  // A cell on which live ones build: only its text matters.
  class Setup {
    constructor(element) {
      this.element = element;
      this.printed = element.querySelector(".cell_input pre").textContent.trimEnd();
      this.ran = false;
    }
  }

  class Live extends Setup {
    constructor(element, number, all) {
      super(element);
      this.input = element.querySelector(".cell_input");
      this.output = element.querySelector(":scope > .cell_output");
      // What new output takes the place of: all, but for the caption of a figure.
      this.parts = [...(this.output?.querySelector("figure") ?? element).children].filter((part) =>
        this.output?.contains(part) && part.tagName !== "FIGCAPTION");
      this.number = number;
      this.field = this.shown = this.id = null;
      const button = (name) => {
        const made = box("button", { type: "button", class: `live_${name}` }, WORDS[name]);
        made.addEventListener("click", () => this[name]());
        return made;
      };
      this.buttons = Object.fromEntries(["run", "edit", "stop", "reset"].map((name) => [name, button(name)]));
      this.status = box("span", { role: "status", class: "live_status" });
      this.bar = box("div", { role: "group", class: "live_bar", "aria-label": WORDS.cell(number, all) });
      this.bar.append(...Object.values(this.buttons), this.status);
      this.fold = element.querySelector(":scope > details"); // of code that the page hides
      (this.fold ?? this.input).after(this.bar);
      this.enable();
    }

    get source() {
      return this.field ? this.field.value.trimEnd() : this.printed;
    }

    enable() {
      const focused = document.activeElement;
      const { run, edit, stop, reset } = this.buttons;
      run.disabled = this.id !== null;
      stop.disabled = !run.disabled;
      edit.disabled = this.field !== null;
      reset.disabled = this.id !== null || (!this.field && !this.shown);
      // The focus does not get lost with the button that was pressed.
      if (focused?.disabled && this.bar.contains(focused)) (run.disabled ? stop : run).focus();
    }

    run() {
      if (this.id !== null) return;
      const above = cells.slice(0, cells.indexOf(this)).filter((cell) => !cell.ran && !(cell.id > 0));
      this.above = above;
      this.errorLine = this.began = null;
      this.stopping = false;
      this.fresh = true;
      this.say(asked.size ? WORDS.waiting : worker ? WORDS.running : WORDS.loading);
      this.id = ask(this, above.map((cell) => cell.printed), this.source);
      this.enable();
    }

    hear({ state, prepared, output, end: ended, reason }) {
      if (state === "running") this.began = performance.now();
      if (state) this.say(WORDS[state]);
      if (prepared) for (const cell of this.above) cell.ran = true;
      if (output) this.show(output);
      if (ended) this.finish(ended, reason);
    }

    finish(ended, reason) {
      asked.delete(this.id);
      this.id = null;
      if (this.stopping) {
        this.say(ended === "failed" ? WORDS.interrupted : WORDS.stopped);
      } else if (ended === "broken") {
        this.say(WORDS.broken(reason));
      } else if (ended === "stopped") {
        this.say(WORDS.stopped); // together with another cell
      } else {
        if (this.fresh) this.clear(); // it shows nothing at all now
        const seconds = ((performance.now() - this.began) / 1000).toFixed(1);
        this.say(ended === "done" ? WORDS.done(seconds) : this.errorLine ? WORDS.failedAt(this.errorLine) : WORDS.failed);
      }
      this.ran = ended === "done" || ended === "failed";
      this.enable();
    }

    stop() {
      if (this.id === null) return;
      const id = this.id;
      this.stopping = true;
      if (interrupts && this.began) {
        interrupts[0] = 2; // as Ctrl+C
        setTimeout(() => this.id === id && end({ end: "stopped" }), PATIENCE);
      } else {
        end({ end: "stopped" });
      }
    }

    edit() {
      const lines = this.printed.split("\n").length;
      const hint = `live_keys_${this.number}`;
      this.field = box("textarea", {
        class: "live_code",
        rows: Math.max(lines + 1, 3),
        wrap: "off",
        spellcheck: "false",
        autocapitalize: "off",
        autocomplete: "off",
        "aria-label": WORDS.code(this.number),
        "aria-describedby": hint,
      });
      this.field.value = this.printed;
      this.field.addEventListener("keydown", (event) => this.key(event));
      this.field.addEventListener("focus", () => (this.leaving = false));
      this.keys = box("p", { class: "live_keys", id: hint }, WORDS.keys);
      if (this.fold) this.fold.open = true;
      this.input.classList.add("live_edited");
      this.input.append(this.field, this.keys);
      this.field.setSelectionRange(0, 0);
      this.field.focus();
      this.field.scrollLeft = 0; // the last line may be the longest
      this.enable();
    }

    key(event) {
      const { field } = this;
      if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.run();
      } else if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault();
        const line = field.value.slice(0, field.selectionStart).split("\n").at(-1);
        type(field, `\n${line.match(/^ */)[0]}${/:\s*(#.*)?$/.test(line) ? "    " : ""}`);
      } else if (event.key === "Escape") {
        this.leaving = true;
      } else if (event.key === "Tab" && !this.leaving && !event.altKey && !event.ctrlKey) {
        event.preventDefault();
        indent(field, event.shiftKey);
      } else if (event.key !== "Tab" && event.key !== "Shift") {
        this.leaving = false;
      }
    }

    reset() {
      this.field?.remove();
      this.keys?.remove();
      this.field = this.keys = null;
      this.input.classList.remove("live_edited");
      this.shown?.remove();
      this.shown = null;
      for (const part of this.parts) part.hidden = false;
      this.ran = false; // cells below meet it as printed
      this.say(WORDS.reset_);
      this.buttons.run.focus();
      this.enable();
    }

    // Make room for new output.
    clear() {
      this.fresh = false;
      this.shown?.remove();
      this.shown = box("div", { class: "cell_output docutils container live_output" });
      for (const part of this.parts) part.hidden = true;
      if (this.parts.length) this.parts[0].before(this.shown);
      else this.bar.after(this.shown);
    }

    show({ kind, text, source, line }) {
      if (this.fresh) this.clear();
      if (kind === "stream" && this.shown.lastChild?.classList.contains("stream")) {
        this.shown.lastChild.querySelector("pre").append(text);
        return;
      }
      if (kind === "image") {
        const printed = this.source === this.printed && this.output?.querySelector("img")?.alt;
        this.shown.append(box("img", { src: source, alt: printed || text }));
      } else if (kind === "html") {
        const held = box("div", { class: "output text_html" });
        held.append(document.createRange().createContextualFragment(text)); // with its scripts
        this.shown.append(held);
      } else {
        const pre = box("pre", { tabindex: "0" }, text);
        const classes = { stream: "stream", text: "text_plain", error: "traceback live_error" }[kind];
        this.shown.append(box("div", { class: `output ${classes} highlight-myst-ansi notranslate` }, box("div", { class: "highlight" }, pre)));
        if (kind === "error") this.errorLine = line;
      }
    }

    say(text) {
      this.status.textContent = text;
    }
  }

  // --- Editing --------------------------------------------------------------------------------------

  // Replace the selection, so that the browser can undo it.
  function type(field, text) {
    const { selectionStart: from, selectionEnd: to } = field;
    if (text ? document.execCommand("insertText", false, text) : document.execCommand("delete")) return;
    field.setRangeText(text, from, to, "end");
  }

  function indent(field, back) {
    const { value } = field;
    const start = value.lastIndexOf("\n", field.selectionStart - 1) + 1;
    const several = value.slice(field.selectionStart, field.selectionEnd).includes("\n");
    if (!back && !several) {
      const column = field.selectionStart - start;
      type(field, " ".repeat(4 - (column % 4)));
      return;
    }
    const stop = field.selectionEnd;
    const lines = value.slice(start, stop).split("\n");
    const moved = lines.map((line) => (back ? line.replace(/^ {1,4}/, "") : line && `    ${line}`)).join("\n");
    field.setSelectionRange(start, stop);
    if (moved !== value.slice(start, stop)) type(field, moved);
    if (several) field.setSelectionRange(start, start + moved.length);
  }

  // --- The page -------------------------------------------------------------------------------------

  const cells = [];
  const lives = document.querySelectorAll("div.cell.tag_live");
  const note = (text) => lives[0]?.before(box("p", { class: "live_note" }, text));
  if (window.location.protocol === "file:") {
    note(WORDS.file);
    return;
  }
  for (const element of document.querySelectorAll("div.cell")) {
    const wanted = !cells.length || element.matches(".tag_live, .tag_live-setup");
    if (!wanted || !element.querySelector(".cell_input pre")) continue;
    const live = element.classList.contains("tag_live");
    cells.push(live ? new Live(element, [...lives].indexOf(element) + 1, lives.length) : new Setup(element));
  }
  note(WORDS.note);
})();
