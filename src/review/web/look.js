// How a car is looked at: window, logarithm, gamma, inversion, detail, palette; and back to as it was scanned.

const GAMMAS = [6, 8, 11, 16, 22, 32, 45];

export class Looking {
  constructor() {
    /** @type {import('./canvas.js').Look} */
    this.now = { setting: { low: 0, high: 65_535, log: true, zero: 0, gamma16: 16, invert: false }, detail: 'plain', palette: 'grey' };
    /** @type {import('./canvas.js').Look | null} what was looked at before `as scanned` */
    this.kept = null;
    /** As the server proposes it. */
    this.first = { low: 0, high: 65_535, zero: 0 };
  }

  /** @param {{low: number, high: number, zero: number, log: boolean}} first */
  begin(first) {
    this.first = first;
    this.kept = null;
    Object.assign(this.now.setting, first);
  }

  /** @param {number} step */
  gamma(step) {
    const index = GAMMAS.indexOf(this.now.setting.gamma16);
    this.now.setting.gamma16 = GAMMAS[Math.min(GAMMAS.length - 1, Math.max(0, index + step))] ?? 16;
  }

  /** Moves and widens the window, on the scale that is looked at. @param {number} shift in windows @param {number} stretch */
  window(shift, stretch) {
    const { setting } = this.now;
    const to = (/** @type {number} */ value) => (setting.log ? Math.log2(Math.max(value - setting.zero, 0) + 1) : value);
    const back = (/** @type {number} */ value) => Math.round(setting.log ? 2 ** value - 1 + setting.zero : value);
    const [a, b] = [to(setting.low), to(setting.high)];
    const [middle, half] = [(a + b) / 2 + shift * (b - a), ((b - a) / 2) * stretch];
    setting.low = Math.min(65_534, Math.max(0, back(middle - half)));
    setting.high = Math.min(65_535, Math.max(setting.low + 1, back(middle + half)));
  }

  /** As it was scanned, with nothing done to it; and back. */
  asScanned() {
    if (this.kept) {
      this.now = this.kept;
      this.kept = null;
      return;
    }
    this.kept = this.now;
    const { zero, high } = this.first;
    this.now = { setting: { low: zero, high, log: false, zero, gamma16: 16, invert: false }, detail: 'plain', palette: 'grey' };
  }
}
