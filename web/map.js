// Test digits in latent space: the nearest ones, and a map of all of them.

const MARGIN = 14;

export class LatentMap {
  #points; // places of the test digits
  #drawn = []; // and where they were drawn last
  #latents;
  #projection;

  // latents: list of Float32Array, one for each test digit; projection: {mean, axes} of models.json.
  constructor(latents, projection) {
    this.#latents = latents;
    this.#projection = projection;
    this.#points = latents.map((latent) => this.#place(latent));
  }

  // Indices of the test digits whose latent features are nearest, the nearest first; without the same digit itself.
  nearest(latent, count) {
    const distances = this.#latents.map((other) => other.reduce((sum, value, i) => sum + (value - latent[i]) ** 2, 0));
    const others = [...distances.keys()].filter((index) => distances[index] > 0);
    return others.sort((a, b) => distances[a] - distances[b]).slice(0, count);
  }

  // Draw every test digit as its label, and the drawing's own place if there is one.
  draw(canvas, labels, latent, colours) {
    const { context, width, height } = fitted(canvas);
    const toScreen = this.#scale(width, height);
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.#drawn = this.#points.map(toScreen);
    this.#drawn.forEach((at, index) => {
      context.fillStyle = colours.digits[labels[index]];
      context.fillText(labels[index], ...at);
    });
    if (!latent) return;
    const [x, y] = toScreen(this.#place(latent));
    const [left, top] = [clamp(x, width), clamp(y, height)];
    context.lineWidth = 6;
    context.strokeStyle = colours.background;
    ring(context, left, top);
    context.lineWidth = 3;
    context.strokeStyle = colours.mark;
    ring(context, left, top);
  }

  // Index of the test digit that is drawn nearest to a point of the canvas.
  at(x, y) {
    const distances = this.#drawn.map(([left, top]) => Math.hypot(left - x, top - y));
    return distances.indexOf(Math.min(...distances));
  }

  #place(latent) {
    const { mean, axes } = this.#projection;
    return axes.map((axis) => axis.reduce((sum, weight, i) => sum + weight * (latent[i] - mean[i]), 0));
  }

  // The test digits fill the canvas.
  #scale(width, height) {
    const [x, y] = [0, 1].map((axis) => {
      const values = this.#points.map((point) => point[axis]);
      return [Math.min(...values), Math.max(...values)];
    });
    const along = (value, [low, high], size) => MARGIN + ((value - low) / (high - low)) * (size - 2 * MARGIN);
    return (point) => [along(point[0], x, width), height - along(point[1], y, height)];
  }
}

const clamp = (value, size) => Math.min(size - 12, Math.max(12, value));

function ring(context, x, y) {
  context.beginPath();
  context.arc(x, y, 9, 0, 2 * Math.PI);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 5 * dx, y + 5 * dy);
    context.lineTo(x + 13 * dx, y + 13 * dy);
  }
  context.stroke();
}

// The context of a canvas, cleared and as sharp as the screen; sizes in CSS pixels.
export function fitted(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}
