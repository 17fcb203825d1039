// Drawing what the network takes and gives.

import { SIDE } from "./framing.js";
import { fitted } from "./map.js";

// Paint 28 × 28 pixels, clamped to [0, 1], on a canvas of that size.
export function paint(canvas, pixels) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  pixels.forEach((pixel, index) => {
    const grey = Math.round(255 * Math.min(1, Math.max(0, pixel)));
    image.data.set([grey, grey, grey, 255], 4 * index);
  });
  context.putImageData(image, 0, 0);
}

// A canvas of 28 × 28 with these pixels.
export function picture(pixels) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  paint(canvas, pixels);
  return canvas;
}

// A bar for every latent feature, from the middle line up or down; limit is the length of the longest.
export function bars(canvas, latent, limit, colours) {
  const { context, width, height } = fitted(canvas);
  context.fillStyle = colours.line;
  context.fillRect(0, height / 2, width, 1);
  if (!latent) return;
  const step = width / latent.length;
  const gap = step > 4 ? 2 : 0;
  context.fillStyle = colours.accent;
  latent.forEach((value, index) => {
    const length = Math.max(-1, Math.min(1, value / limit)) * (height / 2 - 1);
    context.fillRect(index * step + gap / 2, height / 2 - Math.max(0, length), Math.max(1, step - gap), Math.abs(length));
  });
}

// The colours of the style sheet, which follow the light or dark theme.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    accent: named("accent"),
    background: named("card"),
    line: named("line"),
    mark: named("text"),
    digits: Array.from({ length: 10 }, (_, digit) => named(`digit-${digit}`)),
  };
}
