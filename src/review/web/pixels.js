// Raw pixels of a car, as the server's tiles bring them: the whole car at each size that somebody wants, and its thicknesses.

import { at } from './display.js';
import { Refused } from './server.js';

/** @typedef {import('./display.js').Picture} Picture
 * @typedef {{scan: number, position: number, columns: [number, number], scan_columns: number, detectors: number, tile: number}} Where
 * @typedef {{width: number, height: number, mm: Float32Array, sigma: Float32Array, limited: Uint8Array | null, head: Float32Array}} Cells by columns of cells from the top */

/** @param {string} path */
async function bytes(path) {
  const answer = await fetch(path, { credentials: 'same-origin', signal: AbortSignal.timeout(60_000) });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  return answer.arrayBuffer();
}

/** How often a scan can be halved. */
const MOST = 6;

export class Pixels {
  /** @param {Where} where @param {string} energy @param {() => void} oncome @param {(error: unknown) => void} onfail */
  constructor(where, energy, oncome, onfail) {
    this.energy = energy;
    this.where = where;
    this.oncome = oncome;
    this.onfail = onfail;
    /** @type {Map<number, Picture>} */
    this.there = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
  }

  /** The picture that is nearest to a scale, screen pixels per pixel; what is missing is asked for. @param {number} scale @returns {Picture | null} */
  best(scale) {
    const wanted = Math.min(MOST, Math.max(0, Math.floor(Math.log2(1 / scale))));
    this.want(wanted);
    for (let level = wanted; level <= MOST; level += 1) if (this.there.has(level)) return this.there.get(level) ?? null;
    for (let level = wanted; level >= 0; level -= 1) if (this.there.has(level)) return this.there.get(level) ?? null;
    return null;
  }

  /** As scanned, if it has come. */
  native() {
    this.want(0);
    return this.there.get(0) ?? null;
  }

  /** @param {number} level */
  want(level) {
    if (this.asked.has(level)) return;
    this.asked.add(level);
    this.load(level).then(this.oncome, (error) => {
      this.asked.delete(level);
      this.onfail(error);
    });
  }

  /** @param {number} level */
  async load(level) {
    const { scan, position, columns, detectors, tile } = this.where;
    const edge = 2 ** level;
    const [x0, end] = [Math.floor(columns[0] / edge), Math.ceil(columns[1] / edge)];
    const [width, height] = [end - x0, Math.ceil(detectors / edge)];
    const data = new Uint16Array(width * height);
    /** @type {Promise<void>[]} */
    const coming = [];
    for (let tx = Math.floor(x0 / tile); tx * tile < end; tx += 1) {
      for (let ty = 0; ty * tile < height; ty += 1) {
        const [left, top] = [tx * tile, ty * tile];
        const rows = Math.min(tile, height - top);
        coming.push(bytes(`/v1/scans/${scan}/tiles/${level}/${tx}/${ty}?car=${position}&energy=${this.energy}`).then((buffer) => {
          const values = new Uint16Array(buffer);
          // Of a train that is passing more columns may be there than when the car was asked for.
          const across = values.length / rows;
          const [from, to] = [Math.max(left, x0), Math.min(left + across, end)];
          for (let y = 0; y < rows; y += 1) data.set(values.subarray(y * across + from - left, y * across + to - left), (top + y) * width + from - x0);
        }));
      }
    }
    await Promise.all(coming);
    this.there.set(level, { level, x0, width, height, data });
  }
}

/** Thicknesses of a car, or what is more of it than earlier. @param {Where} where @param {'thickness' | 'change'} what @param {{width: number, height: number}} size @returns {Promise<Cells>} */
export async function cells(where, what, { width, height }) {
  const buffer = await bytes(`/v1/scans/${where.scan}/cars/${where.position}/${what}`);
  const [all, head] = [width * height, what === 'change' ? 2 : 0];
  const floats = new Float32Array(buffer, 0, head + 2 * all);
  return {
    width, height,
    head: floats.subarray(0, head),
    mm: floats.subarray(head, head + all),
    sigma: floats.subarray(head + all),
    limited: what === 'thickness' ? new Uint8Array(buffer, 8 * all) : null,
  };
}

/** Mean thickness of a block of cells, its standard error, and which share of it is penetration-limited. @param {Cells} cells @param {number[]} block from, to (not included), along and down */
export function thickness({ width, height, mm, sigma, limited }, [x0 = 0, x1 = 0, y0 = 0, y1 = 0]) {
  let [sum, variance, shut, n] = [0, 0, 0, 0];
  for (let x = Math.max(0, x0); x < Math.min(width, x1); x += 1) {
    for (let y = Math.max(0, y0); y < Math.min(height, y1); y += 1) {
      const index = x * height + y;
      sum += at(mm, index);
      variance += at(sigma, index) ** 2;
      shut += limited ? at(limited, index) : 0;
      n += 1;
    }
  }
  return n ? { mm: sum / n, sigma: Math.sqrt(variance) / n, limited: shut / n, cells: n } : null;
}
