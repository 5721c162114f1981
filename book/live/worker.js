// The page's one Python, in a thread of its own, so that the page stays usable while a cell runs.
// In: {id, prepare: [source, …], source}. Out: {id, state}, {id, output}, {id, end: "done" | "failed" | "broken", …}.

const home = new URL("pyodide/", self.location);
let session = null; // a promise of what runs cells
let current = 0; // the id of the request that is being served

const tell = (message) => self.postMessage({ id: current, ...message });

async function begin(interrupts) {
  tell({ state: "loading" });
  const { loadPyodide } = await import(new URL("pyodide.mjs", home));
  const [pyodide, running] = await Promise.all([
    loadPyodide({ indexURL: home.href, env: { MPLBACKEND: "agg", HOME: "/home/pyodide" } }),
    fetch(new URL("running.py", self.location)).then((answer) => {
      if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
      return answer.text();
    }),
  ]);
  if (interrupts) pyodide.setInterruptBuffer(interrupts);
  pyodide.FS.writeFile("/home/pyodide/running.py", running);
  const python = pyodide.pyimport("running");
  const show = (output) => tell({ output: output.toJs({ dict_converter: Object.fromEntries }) });
  return { pyodide, python, cells: python.Session(show, pyodide.globals) };
}

async function serve({ id, prepare, source, interrupts }) {
  current = id;
  try {
    session ??= begin(interrupts);
    const { pyodide, python, cells } = await session;
    const all = [...prepare, source];
    const needs = all.join("\n") + (all.some((one) => python.draws(one)) ? "\nimport matplotlib" : "");
    tell({ state: "packages" });
    await pyodide.loadPackagesFromImports(needs, { messageCallback: () => {}, errorCallback: (text) => { throw new Error(text); } });
    tell({ state: "running" });
    for (const one of prepare) cells.prepare(one);
    tell({ prepared: true });
    tell({ end: cells.run(source) ? "done" : "failed" });
  } catch (error) {
    tell({ end: "broken", reason: String(error?.message ?? error).trim().split("\n").at(-1) });
  }
}

let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(() => serve(data));
};
