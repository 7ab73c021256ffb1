/** A unit vector that depends on nothing but the input. A shorter one has the same direction in its dimensions. */
export function vector(input: string, dimensions: number): Float32Array {
  const next = generator(hash(input));
  const raw = Array.from({ length: dimensions }, () => next() * 2 - 1);
  const length = Math.hypot(...raw) || 1;
  return Float32Array.from(raw, (x) => x / length);
}

/** FNV-1a. */
function hash(input: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < input.length; i++) state = Math.imul(state ^ input.charCodeAt(i), 0x01000193);
  return state >>> 0;
}

/** Mulberry32: numbers from 0 to 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
