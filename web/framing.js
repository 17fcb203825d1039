// Bringing a drawing to the size and framing of MNIST's digits.

export const SIDE = 28;
const BOX = 20; // the longer side of a digit
const CENTRE = 14.5; // of mass, from the left and the top: so it is in MNIST's test digits
const INK = 0.1;

// ink: Float32Array of width × height in [0, 1], white on black. Returns a Float32Array of 28 × 28: the ink scaled until
// its box has 20 pixels on the longer side, its centre of mass where MNIST has it. All zeros if there is no ink.
export function framed(ink, width, height) {
  const result = new Float32Array(SIDE * SIDE);
  let [left, right, top, bottom] = [width, -1, height, -1];
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = ink[y * width + x];
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
      if (value > INK) {
        [left, right] = [Math.min(left, x), Math.max(right, x)];
        [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      }
    }
  }
  if (right < 0) return result;
  const step = Math.max(right - left + 1, bottom - top + 1) / BOX; // pixels of the drawing to one of the result
  const startX = sumX / mass - CENTRE * step;
  const startY = sumY / mass - CENTRE * step;
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const [x, y] = [startX + column * step, startY + row * step];
      result[row * SIDE + column] = average(ink, width, height, x, y, step);
    }
  }
  return result;
}

// The mean of a square of the drawing; outside there is no ink.
function average(ink, width, height, left, top, size) {
  let sum = 0;
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, top + size); y++) {
    const covered = Math.min(y + 1, top + size) - Math.max(y, top);
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(width, left + size); x++) {
      sum += ink[y * width + x] * covered * (Math.min(x + 1, left + size) - Math.max(x, left));
    }
  }
  return Math.min(1, sum / (size * size));
}
