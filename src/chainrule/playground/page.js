// The page is complete as it comes; this plays it. A server answers `state?…` for any settings and step; in a folder,
// the file of each example holds its states. The address, after its #, holds all that the picture depends on.
"use strict";
const held = JSON.parse(document.getElementById("start").textContent);
const at = (id) => document.getElementById(id);
const all = (query) => [...document.querySelectorAll(query)];
const pause = (time) => new Promise((done) => setTimeout(done, time));
const digits = (x, count) => (x === null ? "no number" : String(Number(x.toPrecision(count))));
const still = matchMedia("(prefers-reduced-motion: reduce)");
let { scene, state, unit } = held;
let playing = false;
let asked = 0; // what was asked for last: an answer to anything before it is dropped

// A server trains. One that is not there yet says so, and is asked again.
class Server {
  async find(query, step) {
    for (;;) {
      const answer = await fetch(`state?${query}&step=${step}`);
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.error);
      if (answer.status === 200) return found;
      await pause(250);
    }
  }
  address() {
    return `${scene.address}&step=${state.step}${unit && `&unit=${unit}`}`;
  }
  async open(address) {
    const query = new URLSearchParams(address);
    const [step, chosen] = [query.get("step") ?? 0, query.get("unit") ?? ""];
    query.delete("step");
    query.delete("unit");
    return { ...(await this.find(query, step)), unit: chosen };
  }
  after() {
    return this.find(scene.address, Math.min(state.step + Number(at("pace").value), held.most));
  }
  first() {
    return this.find(scene.address, 0);
  }
  get ended() {
    return state.stopped || state.step >= held.most;
  }
}

// A folder has a file for each example, which is a script, so that it loads from a disk, too.
class Folder {
  constructor() {
    this.examples = new Map();
    this.waiting = new Map();
    this.name = held.files.first;
    window.took = (name, example) => this.waiting.get(name)(example);
  }
  load(name) {
    if (!this.examples.has(name)) {
      const coming = new Promise((done, failed) => {
        const script = document.createElement("script");
        script.src = `${name}.js`;
        script.onerror = () => failed(new Error(`${name}.js cannot be loaded`));
        this.waiting.set(name, done);
        document.head.append(script);
      });
      this.examples.set(name, coming);
    }
    return this.examples.get(name);
  }
  address() {
    return `${this.name}/${state.step}${unit && `/${unit}`}`;
  }
  async at(name, choose) {
    const example = await this.load(name);
    const found = choose(example.states) ?? example.states.at(-1);
    // What the pictures of units begin with is the same in all of them, and written once.
    const units = found.units.map((layer) => layer.map(([picture, ...rest]) => [example.head + picture, ...rest]));
    const steps = example.states.map((each) => each.step);
    return { scene: { ...example.scene, example: name, steps }, state: { ...found, units } };
  }
  async open(address) {
    const [name, step, chosen = ""] = address.split("/");
    if (!held.files.names.includes(name)) throw new Error(`there is no example ${name}`);
    const found = await this.at(name, (states) => states.findLast((each) => each.step <= Number(step)));
    this.name = name;
    return { ...found, unit: chosen };
  }
  after() {
    return this.at(this.name, (states) => states.find((each) => each.step > state.step));
  }
  first() {
    return this.at(this.name, (states) => states[0]);
  }
  get ended() {
    return scene.steps && state.step >= scene.steps.at(-1);
  }
}
const source = held.files ? new Folder() : new Server();

// Show what is found, unless something else was asked for meanwhile.
async function show(finding) {
  const number = ++asked;
  try {
    const found = await finding;
    if (number !== asked) return;
    at("error").textContent = "";
    const other = found.scene.address !== scene.address || found.scene.example !== scene.example;
    ({ scene, state } = found);
    if (other) setScene();
    if ("unit" in found || other) unit = found.unit ?? "";
    paint();
    history.replaceState(null, "", `${location.pathname}#${source.address()}`);
  } catch (error) {
    if (number !== asked) return;
    at("error").textContent = error.message;
    play(false);
  }
}

// What stays from step to step.
function setScene() {
  for (const name of ["network", "plane", "kinds"]) at(name).innerHTML = scene[name];
  at("counts").textContent = scene.counts;
  if (scene.curve) at("curve").innerHTML = scene.curve;
  for (const [name, text] of Object.entries(scene.settings)) {
    if (at(`setting-${name}`)) at(`setting-${name}`).textContent = text;
    else setField(name, text);
  }
}

function setField(name, text) {
  const parts = text.split(",");
  for (const [index, field] of all(`#form [name="${name}"]`).entries()) {
    if (field.type === "checkbox") field.checked = parts.includes(field.value);
    else if (name === "hidden") field.value = parts[index] ?? "";
    else {
      if (field.options && ![...field.options].some((x) => x.value === text)) field.add(new Option(text, text));
      field.value = text;
    }
  }
}

// The settings of the form, as a query.
function given() {
  const query = new URLSearchParams();
  for (const name of Object.keys(scene.settings)) {
    const fields = all(`#form [name="${name}"]`).filter((field) => field.type !== "checkbox" || field.checked);
    query.set(name, fields.map((field) => field.value).filter((text) => text !== "").join(","));
  }
  return query;
}

// The state, and what of it the chosen unit is.
function paint() {
  const chosen = ([column, row]) => state.units[column - 1]?.[row - 1];
  if (!chosen(unit.split("."))) unit = "";
  paintNetwork();
  const [layer, number] = unit ? unit.split(".").map(Number) : [state.units.length, 1];
  const hidden = layer < state.units.length;
  const [picture, low, high] = unit ? chosen([layer, number]) : [state.answer, ...state.ends];
  at("answer").setAttribute("href", picture);
  const reach = Math.max(Math.abs(low), Math.abs(high));
  const ends = hidden ? [-reach, reach] : state.ends;
  at("low").textContent = digits(ends[0], 3);
  at("high").textContent = digits(ends[1], 3);
  at("seen").textContent = hidden ? `What unit ${unit} computes` : scene.answers[unit ? number : 0];
  at("legend").classList.toggle("several", scene.outputs.length > 1 && !hidden);
  const rows = scene.sources[layer - 1].map((name, source) => [name, state.weights[layer - 1][source][number - 1]]);
  const inner = unit ? [...rows, ["bias", state.biases[layer - 1][number - 1]]] : [];
  at("inner").replaceChildren(...inner.map(row));
  at("into").textContent = unit ? `What goes into ${hidden ? "unit" : "output"} ${hidden ? unit : scene.outputs[number - 1]}` : "";
  at("said").textContent = state.said;
  const advice = state.advice.join("\n");
  if (advice !== at("advice").innerText) {
    at("advice").replaceChildren(...state.advice.map((text) => element("li", text)));
  }
  if (state.curve) at("curve").innerHTML = state.curve;
  const now = document.querySelector("#curve .now");
  if (now) now.setAttribute("transform", `translate(${Number(now.dataset.from) + now.dataset.each * state.step} 0)`);
  at("step").textContent = `step ${state.step.toLocaleString("en")}`;
  at("code").textContent = held.code.replace("ADDRESS", scene.address).replace("STEP", state.step);
  if (scene.steps) {
    Object.assign(at("along"), { max: scene.steps.length - 1, value: scene.steps.indexOf(state.step) });
    at("along").setAttribute("aria-valuetext", `step ${state.step}`);
  }
  at("lesson").textContent = "";
  for (const link of all("nav a")) {
    const current = link.dataset.key === (scene.example ?? scene.address);
    link.setAttribute("aria-current", current);
    if (current) at("lesson").textContent = link.dataset.lesson;
  }
}

function paintNetwork() {
  for (const link of all("#network .unit")) {
    const [column, row] = link.dataset.unit.split(".");
    const [picture, low, high, dead] = state.units[column - 1][row - 1];
    link.querySelector("image").setAttribute("href", picture);
    link.querySelector(".range").textContent = low === null ? "no number" : `${low} to ${high}`;
    link.classList.toggle("dead", dead);
    link.classList.toggle("chosen", link.dataset.unit === unit);
    link.setAttribute("aria-current", link.dataset.unit === unit);
  }
  const weights = state.weights.flat(2);
  for (const [index, edge] of all("#network .edge").entries()) {
    const numbers = weights[index].map((x) => x ?? 0);
    const path = edge.querySelector("path");
    path.style.setProperty("--w", Math.max(...numbers.map(Math.abs)));
    path.setAttribute("class", Math.max(...numbers) <= 0 ? "minus" : Math.min(...numbers) >= 0 ? "plus" : "both");
    edge.querySelector("text").textContent = numbers.map((x) => x.toFixed(2)).join(" ");
    edge.classList.toggle("chosen", edge.dataset.to === unit);
  }
}

function element(name, text) {
  return Object.assign(document.createElement(name), { textContent: text });
}

function row([name, weights]) {
  const line = document.createElement("tr");
  const head = element("th", name);
  head.scope = "row";
  line.append(head, element("td", weights.map((x) => digits(x, 4)).join(" and ")));
  return line;
}

// While it plays, numbers change too often to be read out; they are when it stops.
async function play(on) {
  if (on && playing) return;
  playing = on;
  at("play").textContent = on ? "Pause" : "Play";
  at("said").setAttribute("aria-live", on ? "off" : "polite");
  at("advice").setAttribute("aria-live", on ? "off" : "polite");
  if (!on) {
    asked++; // what is on its way comes too late
    return;
  }
  if (source.ended) await show(source.first());
  while (playing && !source.ended) {
    await show(source.after());
    await pause(still.matches ? 1000 : held.files ? 350 : 20);
  }
  if (playing) play(false);
}

function goTo(address) {
  play(false);
  show(source.open(address));
}

at("play").addEventListener("click", () => play(!playing));
at("next").addEventListener("click", () => {
  play(false);
  if (!source.ended) show(source.after());
});
at("again").addEventListener("click", () => {
  play(false);
  show(source.first());
});
at("along")?.addEventListener("input", (event) => {
  goTo(`${source.name}/${scene.steps[event.target.value]}${unit && `/${unit}`}`);
});
at("form")?.addEventListener("change", (event) => {
  if (!scene.settings[event.target.name] && event.target.name !== "hidden") return;
  goTo(given().toString());
});
at("form")?.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.unit) {
    unit = link.dataset.unit === unit ? "" : link.dataset.unit;
    paint();
    history.replaceState(null, "", `${location.pathname}#${source.address()}`);
  } else if (link.dataset.key) {
    goTo(link.getAttribute("href").slice(1));
  } else return;
  event.preventDefault();
});
addEventListener("hashchange", () => goTo(location.hash.slice(1)));
document.documentElement.classList.add("js");
if (location.hash.length > 1) goTo(location.hash.slice(1));
else if (held.files) show(source.open(`${source.name}/${state.step}`));
else {
  paint();
  if (location.search) history.replaceState(null, "", `${location.pathname}#${source.address()}`);
}
