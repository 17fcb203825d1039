// The page: what is chosen, drawn and shown.

import { download, downloadJson, Failure, megabytes } from "./failure.js";
import { SIDE } from "./framing.js";
import { LatentMap } from "./map.js";
import { noisy, normals } from "./noise.js";
import { Pad } from "./pad.js";
import { bars, colours, paint, picture } from "./pictures.js";
import { loadRuntime, Model } from "./runtime.js";

const PIXELS = SIDE * SIDE;
const NEAREST = 7;
const MEDIAN_OF = 31;
// A hash sign: every model scores it well above its threshold.
const HASH = [0.35, 0.65].flatMap((at) => [[[at, 0.1], [at, 0.9]], [[0.1, at], [0.9, at]]]);

const $ = (id) => document.getElementById(id);
const noise = normals(PIXELS);
const opened = new Map(); // of path to {model, map}: what has been loaded stays
let catalog; // models.json
let digits; // pixels of the test digits, Float32Arrays
let chosen = null; // {entry, file, model, map}
let current = null; // the last result
let milliseconds = [];
let wanted = 0; // number of the newest choice: older ones that are still loading are dropped
let [loading, running] = [true, false];
let [stale, unsaid] = [false, false]; // whether there is something to compute, something to say
let pad;

start().catch(fail);

async function start() {
  say("Loading the list of models …");
  // One may draw while the rest is loading.
  pad = new Pad($("pad"), changed);
  $("clear").addEventListener("click", () => pad.clear());
  $("hash").addEventListener("click", () => pad.draw(HASH));
  catalog = await downloadJson("models/models.json", "The list of models");
  await loadRuntime((received, total) => report("the runtime", received, total));
  const bytes = await download("models/digits.bin", "The file of test digits");
  digits = catalog.labels.map((_, index) =>
    Float32Array.from(bytes.subarray(index * PIXELS, (index + 1) * PIXELS), (value) => value / 255),
  );
  offerModels();
  offerExamples();
  $("noise").addEventListener("input", () => changed(false));
  $("noise").addEventListener("change", () => changed(true));
  $("pad").addEventListener("keydown", (event) => {
    if (/^[0-9]$/.test(event.key) && !event.ctrlKey && !event.altKey && !event.metaKey) take(first(Number(event.key)));
  });
  $("map").addEventListener("click", takeFromMap);
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
  for (const id of ["models", "precisions"]) $(id).addEventListener("change", () => choose());
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

function offerExamples() {
  for (let label = 0; label < 10; label++) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Test digit ${label}`);
    button.append(picture(digits[first(label)]));
    button.addEventListener("click", () => take(first(label)));
    $("examples").append(button);
  }
}

const first = (label) => catalog.labels.indexOf(label);

function take(index) {
  pad.put(digits[index], picture(digits[index]));
}

function takeFromMap(event) {
  if (!chosen) return;
  const box = event.target.getBoundingClientRect();
  take(chosen.map.at(event.clientX - box.left, event.clientY - box.top));
}

// Load what the radio buttons say, unless it is there, and run it.
async function choose() {
  const number = ++wanted;
  const isWanted = () => number === wanted;
  const value = (group) => document.querySelector(`input[name=${group}]:checked`).value;
  const entry = catalog.models.find((model) => model.name === value("model"));
  const file = entry.files[value("precision")];
  for (const [name, { bytes }] of Object.entries(entry.files)) {
    document.querySelector(`input[value=${name}] + span small`).textContent = kilobytes(bytes);
  }
  $("description").textContent = entry.description;
  $("advice").textContent = entry.advice;
  $("failure").hidden = true;
  loading = true;
  chosen = null;
  state();
  try {
    const found = await open(entry, file, `${entry.title}, ${value("precision")}`, isWanted);
    if (!isWanted()) return;
    chosen = { entry, file, ...found };
    await measure(chosen.model);
    loading = false;
    await update(true);
  } catch (error) {
    if (isWanted()) fail(error);
  }
}

async function open(entry, file, title, isWanted) {
  if (!opened.has(file.path)) {
    const tell = (received, total) => isWanted() && report(title, received, total);
    const model = await Model.load(await download(`models/${file.path}`, `The model ${title}`, tell, file.bytes));
    const latents = [];
    for (const digit of digits) {
      latents.push(await model.run("encode", digit));
      if (latents.length % 50 === 0 && isWanted()) {
        say(`Placing test digits on the map: ${latents.length} of ${digits.length} …`, latents.length / digits.length);
        await new Promise((resolve) => setTimeout(resolve)); // lets the browser paint
      }
    }
    const limit = latents.reduce((most, latent) => Math.max(most, ...latent.map(Math.abs)), 0);
    opened.set(file.path, { model, limit, map: new LatentMap(latents, entry.projection) });
  }
  return opened.get(file.path);
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
  state();
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
    say(summary());
  }
  state();
}

// Time the first reconstructions: the very first are slower.
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

async function compute(using) {
  const { model, map } = using;
  const clean = pad.pixels();
  const deviation = Number($("noise").value);
  const seen = deviation ? noisy(clean, deviation, noise) : clean;
  const rebuilt = await timed(model, seen);
  const latent = await model.run("encode", seen);
  const [score] = await model.run("score", seen);
  const blank = !clean.some((pixel) => pixel > 0);
  return { using, clean, deviation, seen, rebuilt, latent, score, blank, nearest: map.nearest(latent, NEAREST) };
}

// Show the last result, in the colours and sizes of now.
function redraw() {
  if (!current) return;
  const { using, deviation, seen, rebuilt, latent, score, blank, nearest } = current;
  const { entry, file, map, limit } = using;
  const palette = colours();
  paint($("seen"), seen);
  paint($("rebuilt"), rebuilt);
  $("noise-value").textContent = deviation.toFixed(2);
  $("rebuilt-title").textContent = deviation ? "Denoised" : "Reconstruction";
  $("denoising").textContent = deviation ? `Against the drawing without noise. ${denoised()}` : "";
  bars($("latent"), latent, limit, palette);
  $("latent-text").textContent = latentText(latent);
  map.draw($("map"), catalog.labels, blank ? null : latent, palette);

  const share = Math.min(1, score / (2 * entry.threshold)); // the threshold is in the middle
  $("fill").style.setProperty("width", `${100 * share}%`);
  $("gauge").dataset.verdict = blank ? "none" : isNormal() ? "normal" : "anomaly";
  $("verdict").textContent = blank ? "Nothing drawn yet" : isNormal() ? "Normal" : "Not normal";
  $("score-text").textContent = blank
    ? ""
    : `– score ${score.toFixed(4)}, ${isNormal() ? "within" : "above"} the threshold ${entry.threshold.toFixed(4)}`;
  $("threshold-text").textContent =
    `The score is the mean squared error of the reconstruction. The threshold is set so that 1 % of test digits exceed` +
    ` it; with this file ${(100 * file.above).toFixed(1)} % of ${entry.tested_on.toLocaleString("en")} do.`;

  $("size").textContent = kilobytes(file.bytes);
  $("time").textContent = `${median(milliseconds).toFixed(2)} ms`;
  $("neighbours-text").textContent = blank ? "" : "The test digits with the nearest latent features:";
  $("neighbours").replaceChildren(...(blank ? [] : nearest.map((index) => picture(digits[index]))));
  $("map-text").textContent =
    `${digits.length} test digits ${catalog.dataset === "mnist" ? "of MNIST" : "(scikit-learn's, enlarged; MNIST was not there)"},` +
    " along the two directions that tell the ten digits apart best. Click one to take it.";
}

function isNormal() {
  return current.score <= current.using.entry.threshold;
}

// The commonest label of the nearest test digits; of equally common ones that of the nearer digit.
function guess() {
  const labels = current.nearest.map((index) => catalog.labels[index]);
  const count = (label) => labels.filter((other) => other === label).length;
  const label = labels.reduce((best, other) => (count(other) > count(best) ? other : best));
  return { label, count: count(label) };
}

function summary() {
  if (current.blank) return "Ready. Draw a digit.";
  if (current.deviation) return `Under the noise it looks like a ${guess().label}. ${denoised()}`;
  if (!isNormal()) return `Not like the digits that it knows: score ${current.score.toFixed(4)}.`;
  const { label, count } = guess();
  return `Looks like a ${label}: ${count} of the ${NEAREST} nearest digits. Normal, score ${current.score.toFixed(4)}.`;
}

// How far input and reconstruction are from the drawing without noise.
function denoised() {
  const { clean, seen, rebuilt } = current;
  const [before, after] = [seen, rebuilt].map((pixels) => meanSquaredError(clean, pixels).toFixed(4));
  return `Error ${before} before, ${after} after.`;
}

function latentText(latent) {
  const active = latent.filter((value) => value !== 0).length;
  const [low, high] = [Math.min(...latent), Math.max(...latent)].map((value) => value.toFixed(2).replace("-", "−"));
  const sparse = active < latent.length ? `, ${active} of them active` : "";
  return `${latent.length.toLocaleString("en")} numbers${sparse}, from ${low} to ${high}, instead of ${PIXELS} pixels.`;
}

const meanSquaredError = (a, b) => a.reduce((sum, value, index) => sum + (value - b[index]) ** 2, 0) / a.length;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const kilobytes = (bytes) => `${Math.round(bytes / 1000).toLocaleString("en")} kB`;

function report(what, received, total) {
  say(`Loading ${what}: ${megabytes(received)} of ${megabytes(total)} MB …`, received / total);
}

function say(text, share = null) {
  $("status").textContent = text;
  $("progress").hidden = share === null;
  if (share !== null) $("progress").value = share;
}

function state(name = loading ? "loading" : "ready") {
  $("app").dataset.state = name;
  $("app").setAttribute("aria-busy", name !== "failed" && (loading || running));
}

function fail(error) {
  if (!(error instanceof Failure)) console.error(error);
  $("failure").textContent = error instanceof Failure ? error.message : `Something went wrong: ${error.message ?? error}`;
  $("failure").hidden = false;
  say("Not ready.");
  state("failed");
}
