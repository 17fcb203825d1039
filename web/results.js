// Showing what the network makes of the drawing.

import { bars, colours, paint, picture } from "./pictures.js";
import { $ } from "./status.js";

// Show a result in the colours and sizes of now.
//
// result: {entry, file, map, limit} of its model, {clean, deviation, seen, rebuilt, latent, score, blank} of the drawing,
// {nearest, guess, normal} of its place among the test digits; catalog: models.json; digits: pixels of the test digits.
export function show(result, catalog, digits) {
  const { entry, file, map, limit, deviation, latent, score, blank, normal } = result;
  const palette = colours();
  paint($("seen"), result.seen);
  paint($("rebuilt"), result.rebuilt);
  $("noise-value").textContent = deviation.toFixed(2);
  $("rebuilt-title").textContent = deviation ? "Denoised" : "Reconstruction";
  $("denoising").textContent = deviation ? `Against the drawing without noise. ${denoised(result)}` : "";
  bars($("latent"), latent, limit, palette);
  $("latent-text").textContent = latentText(latent);

  const share = Math.min(1, score / (2 * entry.threshold)); // the threshold is in the middle
  $("fill").style.setProperty("width", `${100 * share}%`);
  $("gauge").dataset.verdict = blank ? "none" : normal ? "normal" : "anomaly";
  $("verdict").textContent = blank ? "Nothing drawn yet" : normal ? "Normal" : "Not normal";
  $("score-text").textContent = blank
    ? ""
    : `– score ${score.toFixed(4)}, ${normal ? "within" : "above"} the threshold ${entry.threshold.toFixed(4)}`;
  $("threshold-text").textContent =
    "The score is the mean squared error of the reconstruction. The threshold is set so that" +
    ` ${percent(1 - catalog.quantile)} of the test digits exceed it; with this file` +
    ` ${percent(file.above)} of ${whole(entry.tested_on)} do.`;
  $("size").textContent = kilobytes(file.bytes);

  map.draw($("map"), catalog.labels, blank ? null : latent, palette);
  $("neighbours-text").textContent = blank ? "" : "The test digits with the nearest latent features:";
  $("neighbours").replaceChildren(...(blank ? [] : result.nearest.map((index) => picture(digits[index]))));
  const source = catalog.dataset === "mnist" ? "of MNIST" : "of scikit-learn, enlarged, because MNIST was not there";
  $("map-text").textContent =
    `${digits.length} test digits ${source}; along the two directions that tell the ten digits apart best.` +
    " Click one to take it.";
}

// The result in one or two sentences.
export function summary(result) {
  const { blank, deviation, normal, score, guess, nearest } = result;
  if (blank) return "Ready. Draw a digit.";
  if (deviation) return `Under the noise it looks like a ${guess.label}. ${denoised(result)}`;
  if (!normal) return `Not like the digits that it knows: score ${score.toFixed(4)}.`;
  return `Looks like a ${guess.label}: ${guess.count} of the ${nearest.length} nearest digits. Normal, score ${score.toFixed(4)}.`;
}

export const kilobytes = (bytes) => `${whole(bytes / 1000)} kB`;
const whole = (number) => Math.round(number).toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// How far input and reconstruction are from the drawing without noise.
function denoised({ clean, seen, rebuilt }) {
  const [before, after] = [seen, rebuilt].map((pixels) => meanSquaredError(clean, pixels).toFixed(4));
  return `Error ${before} before, ${after} after.`;
}

const meanSquaredError = (a, b) => a.reduce((sum, value, index) => sum + (value - b[index]) ** 2, 0) / a.length;

function latentText(latent) {
  const active = latent.filter((value) => value !== 0).length;
  const sparse = active < latent.length ? `, ${whole(active)} of them active` : "";
  const [low, high] = [Math.min(...latent), Math.max(...latent)].map((value) => value.toFixed(2).replace("-", "−"));
  return `${whole(latent.length)} numbers${sparse}, from ${low} to ${high}, instead of 784 pixels.`;
}
