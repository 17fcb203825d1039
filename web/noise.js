// Gaussian noise that stays the same while one draws.

const SEED = 7;

// count normal deviates, always the same ones.
export function normals(count) {
  let state = SEED;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

// pixels + deviation × noise, not clipped: so the denoisers were trained.
export function noisy(pixels, deviation, noise) {
  return pixels.map((pixel, index) => pixel + deviation * noise[index]);
}
