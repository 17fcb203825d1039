// The page: what is chosen, loaded and computed.

import { download, downloadJson } from "./failure.js";
import { SIDE } from "./framing.js";
import { LatentMap } from "./map.js";
import { noisy, normals } from "./noise.js";
import { Pad } from "./pad.js";
import { picture } from "./pictures.js";
import { kilobytes, show, summary } from "./results.js";
import { loadRuntime, Model } from "./runtime.js";
import { $, fail, say, sayLoaded, setState } from "./status.js";

const PIXELS = SIDE * SIDE;
const NEAREST = 7;
const MEDIAN_OF = 31; // reconstructions
// A hash sign: every model scores it well above its threshold.
const HASH = [0.35, 0.65].flatMap((at) => [[[at, 0.1], [at, 0.9]], [[0.1, at], [0.9, at]]]);

const noise = normals(PIXELS);
const opened = new Map(); // of a file's path to {model, map, limit}: what has been loaded stays
let pad;
let catalog; // models.json
let digits; // Float32Arrays: the test digits of the map
let chosen = null; // {entry, file, model, map, limit}, or null while it is loading
let current = null; // the last result
let milliseconds = []; // of the last reconstructions
let newest = 0; // number of the last choice: what an older one is still loading is not shown
let [loading, running] = [true, false];
let [stale, unsaid] = [false, false]; // whether there is something to compute, something to say

start().catch(fail);

async function start() {
  say("Loading the list of models …");
  // One may draw while the rest is loading.
  pad = new Pad($("pad"), changed);
  $("clear").addEventListener("click", () => pad.clear());
  $("hash").addEventListener("click", () => pad.draw(HASH));
  $("noise").addEventListener("input", () => changed(false));
  $("noise").addEventListener("change", () => changed(true));
  catalog = await downloadJson("models/models.json", "The list of models");
  await loadRuntime((received, total) => sayLoaded("the runtime", received, total));
  const bytes = await download("models/digits.bin", "The file of test digits");
  digits = catalog.labels.map((_, index) =>
    Float32Array.from(bytes.subarray(index * PIXELS, (index + 1) * PIXELS), (value) => value / 255),
  );
  offerModels();
  offerDigits();
  window.addEventListener("resize", redraw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (pad.blank) take(first(3));
  await choose();
}

// The radio buttons of models and precisions.
function offerModels() {
  for (const [index, { name, title, latent_shape }] of catalog.models.entries()) {
    const features = latent_shape.reduce((a, b) => a * b).toLocaleString("en");
    $("models").append(radio("model", name, title, `${features} features`, index === 0));
  }
  for (const [index, name] of Object.keys(catalog.models[0].files).entries()) {
    $("precisions").append(radio("precision", name, name, "", index === 0));
  }
  for (const id of ["models", "precisions"]) $(id).addEventListener("change", choose);
}

function radio(group, value, title, subtitle, checked) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: group, value, checked });
  const text = document.createElement("span");
  text.append(Object.assign(document.createElement("b"), { textContent: title }));
  text.append(Object.assign(document.createElement("small"), { textContent: subtitle }));
  label.append(input, text);
  return label;
}

// Test digits to take: by button, by key, from the map.
function offerDigits() {
  for (let label = 0; label < 10; label++) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Test digit ${label}`);
    button.append(picture(digits[first(label)]));
    button.addEventListener("click", () => take(first(label)));
    $("examples").append(button);
  }
  $("pad").addEventListener("keydown", (event) => {
    if (/^[0-9]$/.test(event.key) && !event.ctrlKey && !event.altKey && !event.metaKey) take(first(Number(event.key)));
  });
  $("map").addEventListener("click", (event) => {
    const box = event.target.getBoundingClientRect();
    if (current) take(current.map.at(event.clientX - box.left, event.clientY - box.top));
  });
}

const first = (label) => catalog.labels.indexOf(label);

function take(index) {
  pad.put(digits[index], picture(digits[index]));
}

// Load what the radio buttons say, unless it has been, and run it.
async function choose() {
  const number = ++newest;
  const isNewest = () => number === newest;
  const [name, precision] = ["model", "precision"].map((group) => $("app").querySelector(`[name=${group}]:checked`).value);
  const entry = catalog.models.find((model) => model.name === name);
  const file = entry.files[precision];
  for (const [each, { bytes }] of Object.entries(entry.files)) {
    $("precisions").querySelector(`[value=${each}] + span small`).textContent = kilobytes(bytes);
  }
  $("description").textContent = entry.description;
  $("advice").textContent = entry.advice;
  $("failure").hidden = true;
  loading = true;
  chosen = null;
  showState();
  try {
    const found = await open(entry, file, `${entry.title}, ${precision}`, isNewest);
    if (isNewest()) await measure(found.model);
    if (!isNewest()) return;
    chosen = { entry, file, ...found };
    loading = false;
    await update(true);
  } catch (error) {
    if (isNewest()) fail(error);
  }
}

async function open(entry, file, title, isNewest) {
  if (!opened.has(file.path)) {
    const tell = (received, total) => isNewest() && sayLoaded(title, received, total);
    const model = await Model.load(await download(`models/${file.path}`, `The model ${title}`, tell, file.bytes));
    const latents = [];
    for (const digit of digits) {
      latents.push(await model.run("encode", digit));
      if (latents.length % 50 === 0 && isNewest()) {
        say(`Placing test digits on the map: ${latents.length} of ${digits.length} …`, latents.length / digits.length);
        await new Promise((resolve) => setTimeout(resolve)); // lets the browser paint
      }
    }
    const limit = latents.reduce((most, latent) => Math.max(most, ...latent.map(Math.abs)), 0);
    opened.set(file.path, { model, limit, map: new LatentMap(latents, entry.projection) });
  }
  return opened.get(file.path);
}

// Time some reconstructions.
async function measure(model) {
  milliseconds = [];
  for (let run = 0; run < MEDIAN_OF; run++) await timed(model, digits[run]);
}

async function timed(model, sample) {
  const clock = performance.now();
  const rebuilt = await model.run("reconstruct", sample);
  milliseconds = [...milliseconds, performance.now() - clock].slice(-MEDIAN_OF);
  return rebuilt;
}

// Called by whatever changes the input; done says that it does not go on changing at once.
function changed(done) {
  update(done).catch(fail);
}

// Compute and show everything for the input as it is. What changes meanwhile is computed next.
async function update(done) {
  stale = true;
  unsaid ||= done;
  if (running || !chosen) return;
  running = true;
  showState();
  try {
    while (stale && chosen) {
      stale = false;
      current = await compute(chosen);
      redraw();
    }
  } finally {
    running = false;
  }
  if (unsaid && chosen) {
    unsaid = false;
    say(summary(current));
  }
  showState();
}

async function compute(using) {
  const { entry, model, map } = using;
  const clean = pad.pixels();
  const deviation = Number($("noise").value);
  const seen = deviation ? noisy(clean, deviation, noise) : clean;
  const rebuilt = await timed(model, seen);
  const latent = await model.run("encode", seen);
  const [score] = await model.run("score", seen);
  const nearest = map.nearest(latent, NEAREST);
  return {
    ...using,
    ...{ clean, deviation, seen, rebuilt, latent, score, nearest },
    blank: !clean.some((pixel) => pixel > 0),
    guess: commonest(nearest.map((index) => catalog.labels[index])),
    normal: score <= entry.threshold,
  };
}

// Of equally common labels the one that comes first.
function commonest(labels) {
  const count = (label) => labels.filter((other) => other === label).length;
  const label = labels.reduce((best, other) => (count(other) > count(best) ? other : best));
  return { label, count: count(label) };
}

function redraw() {
  if (!current) return;
  show(current, catalog, digits);
  $("time").textContent = `${median(milliseconds).toFixed(2)} ms`;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function showState() {
  setState(loading ? "loading" : "ready", loading || running);
}
