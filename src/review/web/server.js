// What the server is asked, and what it answers.

/**
 * @typedef {{id: string, name: string, until_ms: number}} Owner
 * @typedef {'open' | 'second' | 'supervisor' | 'confirmed' | 'rejected' | 'withdrawn'} State
 * @typedef {number | string} Id a hit's number, or `scan/position` of a car
 * @typedef {{id: Id, state: State, hit: string, lane: string, read: string, sought: string, jurisdiction: string, list: string, category: string,
 *   priority: number, class: string, two_person: boolean, stored_ms: number, took_ms: number, owner: Owner | null, decided_by: string[], car?: CarItem}} Item
 * @typedef {{scan: number, position: number, state: State, portal: string, train: string | null, passing: boolean, mark: string | null, kind: string | null, waiting: number,
 *   probability: number, sought: [string, string] | null, priority: number, two_person: boolean, stored_ms: number, owner: Owner | null, decided_by: string[]}} CarItem
 * @typedef {{id: string, name: string, role: string}} Me
 * @typedef {{change: number, now_ms: number, all: number, cases: Item[], cars: CarItem[], me: Me, site: string, demo: boolean}} QueueAnswer
 * @typedef {{read: string | null, probability: number | null, sought: string | null, sought_probability: number | null,
 *   meets: 'same' | 'equivalent' | 'other' | 'missing' | 'extra'}} Column
 * @typedef {{digest: string, sequence: number, captured_ms: number}} Picture
 * @typedef {{stage: string, person: string, name: string, verdict: string, reason: string | null, looked_ms: number, decided_ms: number, undone_ms: number | null}} Disposition
 * @typedef {{id: number, state: State, list: string, sought: string}} PastCase
 * @typedef {{text: string, jurisdiction: string, list: string, category: string, priority: number, reason: string, source: string, source_version: string,
 *   filed_by: string, valid_from: string | null, valid_until: string | null, caution: string, two_person: boolean, line: number}} Entry
 * @typedef {{item: Item, entry: Entry, read: {text: string, confidence: number, box: number[], corners: number[][]} | null, columns: Column[], probability: number,
 *   jurisdiction: {read: string | null, probability: number | null, sought: string, meets: 'same' | 'other' | 'unknown'}, pictures: Picture[],
 *   passage: {id: number, reads: number, seen_ms: number[]} | null, dispositions: Disposition[],
 *   notes: {person: string, name: string, body: string, at_ms: number}[],
 *   history: {passage: number, lane: string, read: string, at_ms: number, cases: PastCase[]}[],
 *   others: {id: number, sought: string, jurisdiction: string, list: string, state: State}[], budget_ms: number[],
 *   second_opinions: {written: string, comparison: {opinion: 'agree' | 'differ'}}[],
 *   list: {file: string, built: string, entries: number} | null, lane: string | null, now_ms: number}} Case
 */

/** An answer that is no success: RFC 9457. */
export class Refused extends Error {
  /** @param {number} status @param {{title?: string, detail?: string, why?: any}} problem */
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.why = problem.why?.why ?? null;
    this.more = problem.why ?? {};
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} [body]
 * @param {boolean} [idle] asked by the page itself: nobody has done anything, and the session's time runs on
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, idle = false) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  if (idle) headers['garita-idle'] = '1';
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    credentials: 'same-origin',
    cache: 'no-store',
    signal: AbortSignal.timeout(15_000),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) window.dispatchEvent(new Event('garita-logged-out'));
  throw new Refused(answer.status, problem);
}

/** @param {string} path @param {boolean} [idle] @returns {Promise<any>} */
export function get(path, idle = false) {
  return ask('GET', path, undefined, idle);
}

/**
 * Sends a file.
 * @param {string} path @param {Blob} file
 * @returns {Promise<any>}
 */
export async function send(path, file) {
  const answer = await fetch(path, { method: 'POST', body: file, credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(600_000) });
  if (answer.ok) return answer.json();
  throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

/** A car as the queue has it beside hits. @param {CarItem} car @returns {Item} */
export const carItem = (car) => ({
  ...car, car, id: `${car.scan}/${car.position}`, hit: '', lane: car.portal, read: '', sought: car.mark ?? `${car.position} · ${car.train ?? car.scan}`, jurisdiction: '',
  list: car.sought?.[1] ?? '', category: '', class: '', took_ms: 0,
});

/**
 * The bytes of a picture, decoded.
 * @param {import('./server.js').Id} id @param {string} digest @param {ImageBitmapOptions} [options]
 */
export async function picture(id, digest, options) {
  const answer = await fetch(`/v1/cases/${id}/pictures/${digest}`, { credentials: 'same-origin', signal: AbortSignal.timeout(15_000) });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  return createImageBitmap(await answer.blob(), options);
}
