/* The form of a chapter, runs with other parameters beside the results of the page, and cells on a kernel of one's own.
   Loaded only where `python -m helpers live` serves the book. Talks to that server and to nothing else. */
(function () {
  "use strict";
  const script = document.getElementById("live");
  const { chapter, base, xsrf } = JSON.parse(script.dataset.about);

  /* ---- small tools ---- */

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  }

  async function ask(method, path, body) {
    const answer = await fetch(base + path, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-XSRFToken": xsrf },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    const found = text ? JSON.parse(text) : {};
    if (answer.ok || found.errors) return found;
    throw new Error(found.message || `the server answered ${answer.status}`);
  }

  const time = (seconds) =>
    seconds < 90 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const cellOnPage = (id) => document.getElementsByClassName(`cell-${id}`)[0];

  /* ---- outputs, of a run and of a kernel ---- */

  const ANSI = new RegExp("\\u001b\\[([0-9;]*)m", "g");
  const plain = (text) => text.replace(ANSI, "");
  const joined = (value) => (Array.isArray(value) ? value.join("") : value);

  function fromHtml(html) {
    const box = make("div", { class: "output text_html" });
    box.innerHTML = html;
    for (const header of box.querySelectorAll("th")) { // the corner of a data frame is no header of anything
      if (!header.textContent.trim()) header.replaceWith(make("td", { class: header.className || null }));
    }
    for (const old of box.querySelectorAll("script")) {
      const fresh = document.createElement("script"); // those of innerHTML are not run
      for (const { name, value } of old.attributes) fresh.setAttribute(name, value);
      fresh.textContent = old.textContent;
      old.replaceWith(fresh);
    }
    return box;
  }

  function fromMime(data, alt) {
    if (data["text/html"]) return fromHtml(joined(data["text/html"]));
    if (data["image/svg+xml"]) return make("img", { alt, src: "data:image/svg+xml;charset=utf-8," + encodeURIComponent(joined(data["image/svg+xml"])) });
    for (const kind of ["image/png", "image/jpeg", "image/gif"]) {
      if (data[kind]) return make("img", { alt, src: `data:${kind};base64,${joined(data[kind]).replace(/\s/g, "")}` });
    }
    for (const kind of ["text/latex", "text/markdown", "text/plain"]) {
      if (data[kind] !== undefined) return make("pre", { class: "output text_plain", tabindex: "0" }, joined(data[kind]));
    }
    return null;
  }

  function fromOutput(output, alt) {
    if (output.output_type === "stream") return make("pre", { class: `output stream ${output.name}`, tabindex: "0" }, plain(joined(output.text)));
    if (output.output_type === "error") return make("pre", { class: "output traceback", tabindex: "0" }, plain(output.traceback.join("\n")));
    return output.data ? fromMime(output.data, alt) : null;
  }

  function typeset(node) {
    if (window.MathJax && window.MathJax.typesetPromise) window.MathJax.typesetPromise([node]).catch(() => {});
  }

  /* ---- the form ---- */

  const panel = make("section", { class: "live-panel", "aria-label": "Run this chapter yourself" });
  const say = make("p", { class: "live-status", role: "status" });
  const bar = make("progress", { class: "live-progress", max: 1, value: 0, hidden: true, "aria-label": "Cells that are done" });
  const trace = make("pre", { class: "live-traceback", hidden: true, tabindex: "0", "aria-label": "Traceback" });
  const command = make("code");
  const go = make("button", { type: "submit" }, "Run");
  const stop = make("button", { type: "button", hidden: true, onclick: () => cancel() }, "Cancel");
  const back = make("button", { type: "button", hidden: true, onclick: () => takeAway() }, "Take the new results away");
  const defaults = make("button", { type: "button", onclick: () => fill("default") }, "Defaults");
  const form = make("form", { novalidate: true, autocomplete: "off", onsubmit: (event) => { event.preventDefault(); run(); } });
  let about, fields = {}, current = null, asked = 0;

  function fieldOf(parameter) {
    const id = `live-${parameter.name}`;
    const isFlag = parameter.kind === "bool";
    const input = make("input", {
      id, name: parameter.name, type: isFlag ? "checkbox" : "text", spellcheck: "false",
      "aria-describedby": `${id}-help ${id}-error`, oninput: () => { clearError(parameter.name); showCommand(); },
    });
    const error = make("p", { class: "live-error", id: `${id}-error` });
    fields[parameter.name] = { parameter, input, error, isFlag };
    const note = [parameter.kind, `default ${parameter.default === "" ? "empty" : parameter.default}`].join(", ");
    return make("div", { class: "live-field" },
      make("label", { for: id }, parameter.name), input,
      make("p", { class: "live-help", id: `${id}-help` }, parameter.help ? `${parameter.help} ` : "", make("span", {}, `(${note})`)),
      error);
  }

  function fill(which) {
    for (const { parameter, input, isFlag } of Object.values(fields)) {
      if (isFlag) input.checked = parameter[which] === "true";
      else input.value = parameter[which];
      clearError(parameter.name);
    }
    showCommand();
  }

  function typed() {
    return Object.fromEntries(Object.entries(fields).map(([name, { input, isFlag }]) =>
      [name, isFlag ? String(input.checked) : input.value]));
  }

  function clearError(name) {
    const { input, error } = fields[name];
    input.removeAttribute("aria-invalid");
    error.textContent = "";
  }

  function refuse(errors) {
    let first = null;
    for (const [name, message] of Object.entries(errors)) {
      const field = fields[name];
      if (!field) { say.textContent = message; continue; }
      field.input.setAttribute("aria-invalid", "true");
      field.error.textContent = message;
      first = first || field.input;
    }
    if (first) {
      say.textContent = "Not run: a value is not what the chapter takes.";
      first.focus();
    }
  }

  const quoted = (text) => (/^[\w.,+-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`);
  function showCommand() {
    const changed = Object.entries(typed()).filter(([name, text]) => text !== fields[name].parameter.default);
    command.textContent = ["python -m helpers run", chapter, ...changed.map(([name, text]) => `-p ${name} ${quoted(text)}`)].join(" ");
  }

  /* ---- a run ---- */

  function busy(isBusy) {
    go.disabled = isBusy;
    stop.hidden = bar.hidden = !isBusy;
  }

  function told(state) {
    const cells = state.total ? `cell ${Math.min(state.done + 1, state.total)} of ${state.total}, ` : "";
    if (state.waits) return `Waiting: ${state.waits}; ${time(state.seconds)}`;
    if (state.status === "waiting") return `Waiting for a place among the runs; ${time(state.seconds)}`;
    return `Running: ${cells}${time(state.seconds)} of about ${time(state.expected)}`;
  }

  async function run() {
    const mine = ++asked;
    trace.hidden = true;
    Object.keys(fields).forEach(clearError);
    say.textContent = "Asking …";
    busy(true);
    try {
      const state = await ask("POST", "live/api/runs", { chapter, parameters: typed() });
      if (state.errors) { busy(false); refuse(state.errors); return; }
      await follow(state, mine);
    } catch (error) {
      busy(false);
      say.textContent = `It did not run: ${error.message}`;
    }
  }

  async function follow(state, mine) {
    current = state.id;
    busy(true);
    while (!["done", "failed", "cancelled"].includes(state.status)) {
      say.textContent = told(state);
      bar.max = state.total || 1;
      bar.value = state.done;
      await pause(400);
      if (mine !== asked) return;
      state = await ask("GET", `live/api/runs/${current}`);
    }
    busy(false);
    if (state.status === "cancelled") say.textContent = `Cancelled after ${time(state.seconds)}; its kernel has ended.`;
    if (state.status === "failed") {
      say.textContent = `It failed after ${time(state.seconds)}: ${state.error}`;
      trace.textContent = plain(state.traceback || "");
      trace.hidden = !state.traceback;
    }
    if (state.status === "done") {
      const found = await ask("GET", `live/api/runs/${current}/results`);
      if (mine !== asked) return;
      const count = show(found);
      say.textContent = count
        ? `Done in ${time(state.seconds)}: ${count.numbers} numbers in the text and ${count.cells} outputs differ from the page; new ones stand beside the old ones.`
        : `Done in ${time(state.seconds)}: these are the results of the page.`;
      history.replaceState(null, "", `${location.pathname}?run=${current}${location.hash}`);
    }
  }

  async function cancel() {
    if (current) await ask("DELETE", `live/api/runs/${current}`);
  }

  /* ---- new results beside the old ones ---- */

  function takeAway() {
    document.querySelectorAll(".live-new-number").forEach((node) => node.remove());
    document.querySelectorAll(".live-old-number").forEach((node) => node.classList.remove("live-old-number"));
    document.querySelectorAll(".live-pair").forEach((pair) => {
      const old = pair.querySelector(":scope > .live-old > .cell_output");
      if (old) pair.replaceWith(old);
      else pair.remove();
    });
    back.hidden = true;
    history.replaceState(null, "", location.pathname + location.hash);
  }

  function show(found) {
    takeAway();
    const changed = Object.entries(found.parameters).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
    const label = `With ${changed.join(", ") || "the defaults"}`;
    let cells = 0, numbers = 0;
    for (const cell of about.cells) {
      const place = cellOnPage(cell.id), result = found.cells[cell.id];
      if (!place || !result || !result.differ) continue;
      const old = place.querySelector(".cell_output");
      const parts = result.outputs.map((output) => fromOutput(output, cell.alt || "Figure of the new run")).filter(Boolean);
      if (!parts.length && !old) continue;
      const box = make("div", { class: "cell_output live-result" }, ...parts);
      const side = (name, words, inside) => // wide tables scroll inside their side: keys have to reach it
        make("div", { class: name, role: "group", tabindex: "0", "aria-label": words }, make("p", { class: "live-label" }, words), inside);
      const fresh = side("live-new", label, box);
      const pair = make("div", { class: "live-pair" });
      if (old) {
        old.replaceWith(pair);
        pair.append(side("live-old", "On the page", old));
      } else place.append(pair);
      pair.append(fresh);
      typeset(box);
      cells += 1;
    }
    const spans = document.querySelectorAll(".bd-article span.pasted-text");
    if (spans.length === found.numbers.length) {
      spans.forEach((span, at) => {
        const now = found.numbers[at][1];
        if (now === null || now === span.textContent) return;
        span.classList.add("live-old-number");
        span.after(make("span", { class: "live-new-number", title: label }, ` → ${now}`));
        numbers += 1;
      });
    }
    back.hidden = !(cells || numbers);
    return cells || numbers ? { cells, numbers } : null;
  }

  /* ---- a kernel of the reader's own ---- */

  const kernel = { id: null, socket: null, session: crypto.randomUUID(), waiting: new Map(), ran: new Set(), count: 0 };
  const kernelSays = make("p", { class: "live-status", role: "status" }, "No kernel of your own is running.");
  const interrupt = make("button", { type: "button", hidden: true, onclick: () => ask("POST", `api/kernels/${kernel.id}/interrupt`) }, "Interrupt");
  const endKernel = make("button", { type: "button", hidden: true, onclick: () => shutDown() }, "End the kernel");

  function kernelState(words) {
    kernelSays.textContent = words;
    interrupt.hidden = endKernel.hidden = !kernel.id;
  }

  async function connect() {
    if (kernel.socket && kernel.socket.readyState === WebSocket.OPEN) return;
    const kept = sessionStorage.getItem(`live-kernel-${chapter}`);
    kernelState("A kernel starts …");
    let there = null;
    if (kept) there = await ask("GET", `api/kernels/${kept}`).catch(() => null);
    if (!there) {
      there = await ask("POST", "api/kernels", { name: "python3", path: "notebooks" });
      kernel.ran.clear();
    }
    kernel.id = there.id;
    sessionStorage.setItem(`live-kernel-${chapter}`, kernel.id);
    const address = `${location.origin.replace(/^http/, "ws")}${base}api/kernels/${kernel.id}/channels?session_id=${kernel.session}`;
    kernel.socket = new WebSocket(address);
    kernel.socket.onmessage = (event) => { if (typeof event.data === "string") hear(JSON.parse(event.data)); };
    kernel.socket.onclose = () => {
      for (const request of kernel.waiting.values()) request.fail(new Error("the connection to the kernel was closed"));
      kernel.waiting.clear();
    };
    await new Promise((done, fail) => { kernel.socket.onopen = done; kernel.socket.onerror = () => fail(new Error("no connection to the kernel")); });
    kernelState("Your kernel has started.");
  }

  async function shutDown() {
    const id = kernel.id;
    kernel.id = null;
    sessionStorage.removeItem(`live-kernel-${chapter}`);
    await ask("DELETE", `api/kernels/${id}`);
    if (kernel.socket) kernel.socket.close();
    kernel.ran.clear();
    kernelState("Your kernel has ended.");
  }

  function hear(message) {
    const request = kernel.waiting.get(message.parent_header && message.parent_header.msg_id);
    if (!request) return;
    const content = message.content;
    switch (message.msg_type || message.header.msg_type) {
      case "stream": case "display_data": case "execute_result": case "error":
        if (content.metadata && content.metadata.scrapbook) return;
        request.output({ output_type: message.header.msg_type, ...content });
        break;
      case "clear_output": request.clear(); break;
      case "execute_reply": request.reply = content; request.settle(); break;
      case "status":
        if (content.execution_state === "idle") { request.idle = true; request.settle(); }
        break;
      default:
    }
  }

  function execute(code, output, clear) {
    return new Promise((done, fail) => {
      const id = crypto.randomUUID();
      const request = { output, clear, fail, reply: null, idle: false };
      request.settle = () => {
        if (request.reply && request.idle) { kernel.waiting.delete(id); done(request.reply); }
      };
      kernel.waiting.set(id, request);
      kernel.socket.send(JSON.stringify({
        channel: "shell", buffers: [], metadata: {}, parent_header: {},
        header: { msg_id: id, msg_type: "execute_request", session: kernel.session, username: "reader", version: "5.3", date: new Date().toISOString() },
        content: { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true },
      }));
    });
  }

  function ownOutput(cell) {
    const place = cellOnPage(cell.id);
    if (!place) return null;
    let box = place.querySelector(":scope > .live-own");
    if (!box) {
      box = make("div", { class: "live-own" }, make("p", { class: "live-label" }, "On your kernel"), make("div", { class: "cell_output live-result" }));
      place.append(box);
    }
    return box.querySelector(".live-result");
  }

  async function codeOf(cell) {
    const editor = document.getElementById(`live-code-${cell.id}`);
    const code = editor ? editor.value : cell.source;
    if (!cell.parameters) return code;
    const answer = await ask("POST", `live/api/chapters/${chapter}`, { parameters: typed() });
    if (answer.errors) { refuse(answer.errors); throw new Error("a parameter of the form is refused"); }
    return `${code}\n${answer.code}`;
  }

  async function runCell(cell) {
    const code = await codeOf(cell);
    const box = ownOutput(cell);
    if (box) box.replaceChildren();
    kernelState("Your kernel is running a cell …");
    const reply = await execute(code, (output) => {
      const target = box || (output.output_type === "error" ? kernelSays : null);
      const node = target && fromOutput(output, cell.alt || "Figure of your kernel");
      if (!node) return;
      const last = target.lastElementChild;
      if (output.output_type === "stream" && last && last.className === node.className) last.textContent += node.textContent;
      else target.append(node);
      if (output.output_type !== "stream") typeset(node);
    }, () => box && box.replaceChildren());
    kernel.ran.add(cell.id);
    if (reply.status === "ok") {
      if (box && !box.childElementCount) box.append(make("p", { class: "live-help" }, `Done, [${reply.execution_count}]; no output.`));
      return true;
    }
    kernelState(`A cell failed: ${reply.ename || reply.status}${reply.evalue ? `: ${plain(reply.evalue)}` : ""}`);
    return false;
  }

  async function onKernel(cells) {
    try {
      await connect();
      for (const cell of cells) {
        if (!(await runCell(cell))) return;
      }
      kernelState("Your kernel is ready.");
    } catch (error) {
      kernelState(`Not run: ${error.message}`);
    }
  }

  const upTo = (cell) => about.cells.slice(0, about.cells.indexOf(cell) + 1).filter((one) => one === cell || !kernel.ran.has(one.id));

  function edit(cell, place, button) {
    const there = document.getElementById(`live-code-${cell.id}`);
    if (there) { there.remove(); button.textContent = "Edit"; return; }
    const area = make("textarea", { id: `live-code-${cell.id}`, class: "live-code", spellcheck: "false", rows: Math.min(40, cell.source.split("\n").length + 1), "aria-label": "Code of this cell" });
    area.value = cell.source;
    place.querySelector(".live-tools").after(area);
    button.textContent = "As it was";
    area.focus();
  }

  function addTools() {
    about.cells.forEach((cell, at) => {
      const place = cellOnPage(cell.id);
      if (!place) return;
      const name = `cell ${at + 1}`;
      const editButton = make("button", { type: "button", "aria-label": `Edit ${name}` }, "Edit");
      editButton.addEventListener("click", () => edit(cell, place, editButton));
      place.prepend(make("div", { class: "live-tools" },
        make("button", { type: "button", "aria-label": `Run ${name} on your kernel`, onclick: () => onKernel([cell]) }, "Run"),
        make("button", { type: "button", "aria-label": `Run to ${name} on your kernel`, title: "with all cells before it that have not run", onclick: () => onKernel(upTo(cell)) }, "Run to here"),
        editButton));
    });
  }

  /* ---- begin ---- */

  async function begin() {
    const article = document.querySelector(".bd-article");
    const title = article && article.querySelector("h1");
    if (!title) return;
    title.after(panel);
    try {
      about = await ask("GET", `live/api/chapters/${chapter}`);
    } catch (error) {
      panel.append(make("p", { class: "live-status" }, `The form cannot be shown: ${error.message}`));
      return;
    }
    form.append(...about.parameters.map(fieldOf), make("p", { class: "live-buttons" }, go, stop, defaults, back));
    panel.append(
      make("details", { open: location.search.includes("run=") },
        make("summary", {}, "Run this chapter yourself"),
        make("p", { class: "live-help" }, `Change what you like, then run: about ${time(about.seconds)} at the defaults. A run that was made before comes at once.`),
        form, bar, say, trace,
        make("p", { class: "live-help" }, "In a terminal: ", command),
        make("p", { class: "live-help" }, "Cells can also run one by one, on a kernel of your own: each has buttons. The values of this form count there too."),
        kernelSays, make("p", { class: "live-buttons" }, interrupt, endKernel)));
    fill("value");
    addTools();
    if (!about.cells.some((cell) => cellOnPage(cell.id))) {
      say.textContent = "This page was built by an earlier version of the book; `make book` builds it anew, then results find their places.";
    }
    const earlier = new URLSearchParams(location.search).get("run");
    if (earlier && /^[0-9a-f]{16}$/.test(earlier)) {
      const mine = ++asked;
      ask("GET", `live/api/runs/${earlier}`).then((state) => {
        for (const [name, value] of Object.entries(state.parameters)) {
          const field = fields[name];
          if (field && field.isFlag) field.input.checked = value === true;
          else if (field) field.input.value = typeof value === "string" ? value : JSON.stringify(value);
        }
        showCommand();
        return follow(state, mine);
      }).catch((error) => { say.textContent = error.message; });
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
