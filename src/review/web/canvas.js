// Pixels of a scan on a canvas: by the graphics card (WebGL2, textures of raw 16-bit values) or by the processor. Which picture pixel a screen pixel shows is
// reckoned here, in whole numbers, for both: so they cannot differ.

import { REACH, STRIDE, at, colours, grey, means, table } from './display.js';

/** @typedef {import('./display.js').Picture} Picture
 * @typedef {{setting: import('./display.js').Setting, detail: import('./display.js').Detail, palette: import('./display.js').Palette}} Look
 * @typedef {{paint: (picture: Picture, look: Look, columns: Int32Array, rows: Int32Array) => void, kind: 'card' | 'processor'}} Painter */

/** What is outside the picture. */
const OUTSIDE = 38;
/** Edge of a texture's layer. */
const TILE = 512;
/** Pictures that stay on the card: now and earlier, each with means. */
const KEPT = 6;

/** Which element of the picture each screen pixel shows; −1: none. @param {number} length screen pixels @param {number} centre @param {number} scale screen pixels per
 * scan pixel @param {number} level @param {number} first the picture's first at that level @param {number} most how many it has */
export function sampling(length, centre, scale, level, first, most) {
  const shown = new Int32Array(length);
  for (let index = 0; index < length; index += 1) {
    const pixel = Math.floor((centre + (index + 0.5 - length / 2) / scale) / 2 ** level) - first;
    shown[index] = pixel >= 0 && pixel < most ? pixel : -1;
  }
  return shown;
}

/** What is made once of each picture and setting. */
class Made {
  constructor() {
    this.key = '';
    this.greys = new Uint16Array(0);
    this.colours = new Uint8Array(0);
    /** @type {WeakMap<Picture, Record<string, Picture>>} */
    this.means = new WeakMap();
  }

  /** True where the table or palette is another than before. @param {Look} look */
  update(look) {
    const key = JSON.stringify([look.setting, look.palette]);
    if (key === this.key) return false;
    this.key = key;
    this.greys = table(look.setting);
    this.colours = colours(look.palette);
    return true;
  }

  /** @param {Picture} picture @param {import('./display.js').Detail} detail */
  mean(picture, detail) {
    const known = this.means.get(picture) ?? {};
    this.means.set(picture, known);
    return (known[detail] ??= detail === 'plain' ? picture : means(picture, REACH[detail]));
  }
}

/** By the processor. @param {HTMLCanvasElement} canvas @returns {Painter} */
export function processor(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false, willReadFrequently: true }));
  const made = new Made();
  let image = context.createImageData(1, 1);
  let pixels = new Uint32Array(1);
  /** Of each grey's upper 8 bits, and in plain pictures of each stored value. */
  const rgba = new Uint32Array(256);
  const direct = new Uint32Array(65_536);
  return {
    kind: 'processor',
    paint(picture, look, columns, rows) {
      if (made.update(look)) {
        for (let grey = 0; grey < 256; grey += 1) rgba[grey] = (at(made.colours, 3 * grey) | (at(made.colours, 3 * grey + 1) << 8) | (at(made.colours, 3 * grey + 2) << 16) | 0xff000000) >>> 0;
        for (let value = 0; value < 65_536; value += 1) direct[value] = at(rgba, at(made.greys, value) >> 8);
      }
      const mean = made.mean(picture, look.detail);
      const across = columns.length;
      if (image.width !== across || image.height !== rows.length) {
        image = context.createImageData(across, rows.length);
        pixels = new Uint32Array(image.data.buffer);
      }
      const outside = (OUTSIDE * 0x10101 + 0xff000000) >>> 0;
      const { data, width } = picture;
      for (let j = 0; j < rows.length; j += 1) {
        const y = at(rows, j);
        const out = j * across;
        if (y < 0) pixels.fill(outside, out, out + across);
        // Enlarged, a row is the one above.
        else if (j > 0 && y === at(rows, j - 1)) pixels.copyWithin(out, out - across, out);
        else if (look.detail === 'plain') {
          for (let i = 0; i < across; i += 1) {
            const x = at(columns, i);
            pixels[out + i] = x < 0 ? outside : at(direct, at(data, y * width + x));
          }
        } else {
          for (let i = 0; i < across; i += 1) {
            const x = at(columns, i);
            pixels[out + i] = x < 0 ? outside : at(rgba, grey(picture, mean, made.greys, look.detail, x, y) >> 8);
          }
        }
      }
      context.putImageData(image, 0, 0);
    },
  };
}

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0, 1); }`;

const FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp usampler2DArray; precision highp usampler2D; precision highp isampler2D;
uniform usampler2DArray picture, means; uniform usampler2D table, palette; uniform isampler2D columns, rows;
uniform ivec2 size; uniform int tiles, detail, last;
out vec4 colour;
int grey(uint v) { return int(texelFetch(table, ivec2(int(v & 255u), int(v >> 8)), 0).r); }
ivec3 place(int x, int y) { return ivec3(x & ${TILE - 1}, y & ${TILE - 1}, (x >> 9) + (y >> 9) * tiles); }
int about(int x, int y) { return grey(texelFetch(means, place(clamp(x, 0, size.x - 1), clamp(y, 0, size.y - 1)), 0).r); }
void main() {
  int x = texelFetch(columns, ivec2(int(gl_FragCoord.x), 0), 0).r, y = texelFetch(rows, ivec2(last - int(gl_FragCoord.y), 0), 0).r;
  if (x < 0 || y < 0) { colour = vec4(vec3(${OUTSIDE}.0 / 255.0), 1); return; }
  int g;
  if (detail == 2) g = 2 * (abs(about(x + ${STRIDE}, y) - about(x - ${STRIDE}, y)) + abs(about(x, y + ${STRIDE}) - about(x, y - ${STRIDE})));
  else g = grey(texelFetch(picture, place(x, y), 0).r);
  if (detail == 1) g = 32768 + 4 * (g - about(x, y));
  colour = vec4(vec3(texelFetch(palette, ivec2(clamp(g, 0, 65535) >> 8, 0), 0).rgb) / 255.0, 1);
}`;

/** By the graphics card; none where it cannot. @param {HTMLCanvasElement} canvas @param {boolean} [fast] not where a processor stands in for the card: it is faster by itself
 * @returns {Painter | null} */
export function card(canvas, fast = false) {
  const gl = canvas.getContext('webgl2', { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true, failIfMajorPerformanceCaveat: fast });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, text] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  /** @param {string} name */
  const uniform = (name) => gl.getUniformLocation(program, name);
  const places = Object.fromEntries(['size', 'tiles', 'detail', 'last'].map((name) => [name, uniform(name)]));
  ['picture', 'means', 'table', 'palette', 'columns', 'rows'].forEach((name, unit) => gl.uniform1i(uniform(name), unit));
  const most = gl.getParameter(gl.MAX_ARRAY_TEXTURE_LAYERS);
  const made = new Made();
  /** @param {number} unit @param {number} target @param {WebGLTexture} texture */
  const bind = (unit, target, texture) => {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(target, texture);
  };
  /** @param {number} target */
  const nearest = (target) => {
    gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  };
  const flat = [2, 3, 4, 5].map((unit) => {
    const texture = gl.createTexture();
    bind(unit, gl.TEXTURE_2D, texture);
    nearest(gl.TEXTURE_2D);
    return texture;
  });
  /** @param {number} unit @param {number} inner @param {number} width @param {number} height @param {number} format @param {number} type @param {ArrayBufferView} data */
  const put = (unit, inner, width, height, format, type, data) => {
    bind(unit, gl.TEXTURE_2D, /** @type {WebGLTexture} */ (flat[unit - 2]));
    gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, format, type, data);
  };
  /** @type {Map<Picture, WebGLTexture>} */
  const kept = new Map();
  /** A picture as layers of tiles, sent once. @param {number} unit @param {Picture} picture */
  const layers = (unit, picture) => {
    const known = kept.get(picture);
    if (known) {
      bind(unit, gl.TEXTURE_2D_ARRAY, known);
      return;
    }
    const { width, height, data } = picture;
    const [across, down] = [Math.ceil(width / TILE), Math.ceil(height / TILE)];
    const texture = gl.createTexture();
    bind(unit, gl.TEXTURE_2D_ARRAY, texture);
    nearest(gl.TEXTURE_2D_ARRAY);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.R16UI, TILE, TILE, across * down);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, width);
    for (let layer = 0; layer < across * down; layer += 1) {
      const [x, y] = [(layer % across) * TILE, Math.floor(layer / across) * TILE];
      gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, layer, Math.min(TILE, width - x), Math.min(TILE, height - y), 1, gl.RED_INTEGER, gl.UNSIGNED_SHORT, data.subarray(y * width + x));
    }
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
    kept.set(picture, texture);
    for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - KEPT))) {
      gl.deleteTexture(kept.get(old) ?? null);
      kept.delete(old);
    }
  };
  return {
    kind: 'card',
    paint(picture, look, columns, rows) {
      if (made.update(look)) {
        put(2, gl.R16UI, 256, 256, gl.RED_INTEGER, gl.UNSIGNED_SHORT, made.greys);
        put(3, gl.RGB8UI, 256, 1, gl.RGB_INTEGER, gl.UNSIGNED_BYTE, made.colours);
      }
      const across = Math.ceil(picture.width / TILE);
      if (across * Math.ceil(picture.height / TILE) > most) throw new Error('more tiles than the graphics card takes');
      put(4, gl.R32I, columns.length, 1, gl.RED_INTEGER, gl.INT, columns);
      put(5, gl.R32I, rows.length, 1, gl.RED_INTEGER, gl.INT, rows);
      layers(0, picture);
      layers(1, made.mean(picture, look.detail));
      gl.viewport(0, 0, columns.length, rows.length);
      gl.uniform2i(places['size'] ?? null, picture.width, picture.height);
      gl.uniform1i(places['tiles'] ?? null, across);
      gl.uniform1i(places['last'] ?? null, rows.length - 1);
      gl.uniform1i(places['detail'] ?? null, ['plain', 'contrast', 'edges'].indexOf(look.detail));
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 3);
    },
  };
}
