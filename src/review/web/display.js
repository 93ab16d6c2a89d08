// What a pixel of a scan looks like. src/review/display.rs is the reference and says why; tests compare this, and the shader in canvas.js, with its golden file.

/** @typedef {{low: number, high: number, log: boolean, zero: number, gamma16: number, invert: boolean}} Setting stored values that are black, white, and what
 *   logarithms are taken above; exponent in sixteenths
 * @typedef {'plain' | 'contrast' | 'edges'} Detail
 * @typedef {'grey' | 'viridis'} Palette
 * @typedef {{level: number, x0: number, width: number, height: number, data: Uint16Array}} Picture stored values, rows from the top; `x0`: its first column, at its level */

/** Half-width of the square that means are made of. @type {Record<Detail, number>} */
export const REACH = { plain: 0, contrast: 24, edges: 1 };
/** From where to where a change counts as an edge. */
export const STRIDE = 2;
/** 2^(2^-k), times 32,768. */
const ROOTS = [46341, 38968, 35734, 34219, 33486, 33125, 32946, 32857, 32812, 32790, 32779, 32774];
/** Viridis at eighths (matplotlib, CC0). */
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

/** An element that is there. @param {ArrayLike<number>} values @param {number} index */
export const at = (values, index) => /** @type {number} */ (values[index]);

/** Logarithm to base 2 of 1..=65,536, times 4,096, cut off. @param {number} value */
function log2(value) {
  const whole = 31 - Math.clz32(value);
  let x = whole > 15 ? value >>> (whole - 15) : value << (15 - whole);
  let log = whole;
  for (let digit = 0; digit < 12; digit += 1) {
    x = Math.floor((x * x) / 32_768);
    log *= 2;
    if (x >= 65_536) {
      log += 1;
      x >>>= 1;
    }
  }
  return log;
}

/** 2 to the power of `log` / 4,096. @param {number} log */
function exp2(log) {
  let x = 32_768;
  ROOTS.forEach((root, k) => {
    if (log & (1 << (11 - k))) x = Math.floor((x * root) / 32_768);
  });
  const whole = log >> 12;
  return whole >= 15 ? x * 2 ** (whole - 15) : x >>> (15 - whole);
}

/** The grey, 0..=65,535, of each stored value. @param {Setting} setting */
export function table({ low, high, log, zero, gamma16, invert }) {
  const top = Math.min(65_535, Math.max(high, low + 1));
  const height = (/** @type {number} */ value) => (log ? log2(Math.max(value - zero, 0) + 1) : value);
  const foot = height(low);
  const span = Math.max(1, height(top) - foot);
  const greys = new Uint16Array(65_536);
  for (let value = 0; value < 65_536; value += 1) {
    const inside = Math.min(height(Math.min(Math.max(value, low), top)) - foot, span);
    let x = Math.floor((inside * 65_535) / span);
    if (gamma16 !== 16 && x > 0) {
      const below = Math.floor(((65_536 - log2(x + 1)) * gamma16) / 16);
      x = below >= 65_536 ? 0 : below === 0 ? 65_535 : Math.min(Math.max(exp2(65_536 - below), 1), 65_536) - 1;
    }
    greys[value] = invert ? 65_535 - x : x;
  }
  return greys;
}

/** The mean of the square about each pixel, cut off at the picture's ends. @param {Picture} picture @param {number} reach @returns {Picture} */
export function means(picture, reach) {
  const { width, height, data } = picture;
  const stride = width + 1;
  const sums = new Float64Array(stride * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let line = 0;
    for (let x = 0; x < width; x += 1) {
      line += at(data, y * width + x);
      sums[(y + 1) * stride + x + 1] = at(sums, y * stride + x + 1) + line;
    }
  }
  const mean = new Uint16Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const top = Math.max(y - reach, 0);
    const foot = Math.min(y + reach + 1, height);
    for (let x = 0; x < width; x += 1) {
      const left = Math.max(x - reach, 0);
      const right = Math.min(x + reach + 1, width);
      const sum = at(sums, foot * stride + right) + at(sums, top * stride + left) - at(sums, top * stride + right) - at(sums, foot * stride + left);
      mean[y * width + x] = Math.floor(sum / ((foot - top) * (right - left)));
    }
  }
  return { ...picture, data: mean };
}

/** A grey of 16 bits with its neighbourhood. @param {Picture} picture @param {Picture} mean @param {Uint16Array} greys @param {Detail} detail @param {number} x @param {number} y */
export function grey({ width, height, data }, mean, greys, detail, x, y) {
  const about = mean.data;
  const here = y * width + x;
  let value;
  if (detail === 'contrast') value = 32_768 + 4 * (at(greys, at(data, here)) - at(greys, at(about, here)));
  else {
    const along = at(greys, at(about, here - x + Math.min(x + STRIDE, width - 1))) - at(greys, at(about, here - x + Math.max(x - STRIDE, 0)));
    const up = at(greys, at(about, Math.min(y + STRIDE, height - 1) * width + x)) - at(greys, at(about, Math.max(y - STRIDE, 0) * width + x));
    value = 2 * (Math.abs(along) + Math.abs(up));
  }
  return Math.min(Math.max(value, 0), 65_535);
}

/** Red, green, blue of 256 greys. @param {Palette} palette */
export function colours(palette) {
  const bytes = new Uint8Array(768);
  for (let grey = 0; grey < 256; grey += 1) {
    const eighth = Math.min(Math.floor((grey * 8) / 255), 7);
    const part = grey * 8 - eighth * 255;
    for (let channel = 0; channel < 3; channel += 1) {
      /** @param {number} step */
      const anchor = (step) => VIRIDIS[step]?.[channel] ?? 0;
      bytes[3 * grey + channel] = palette === 'grey' ? grey : Math.floor((anchor(eighth) * (255 - part) + anchor(eighth + 1) * part + 127) / 255);
    }
  }
  return bytes;
}
