// Stopping an upload half-way, at a gate, without waiting for the clock.

import assert from 'node:assert/strict';

/** Numbers of the parts of a file that is cut into so many. */
export const numbers = (/** @type {number} */ count) => Array.from({ length: count }, (_, index) => index + 1);

/**
 * A rule that lets parts up to this number pass and keeps the others from the server.
 *
 * @param {number} last
 * @returns {import('./gate.mjs').Rule}
 */
export const onlyTheFirst = (last) => ({ part }) => (part !== null && part > last ? 'hold' : 'pass');

/**
 * Waits until the first parts have landed and the next one is on its way.
 *
 * @param {import('./gate.mjs').Gate} gate
 * @param {number} last
 */
export async function isHalfWay(gate, last) {
  await gate.until(() => gate.landed.length === last && gate.passages.some(({ isHeld }) => isHeld));
  assert.deepEqual(gate.landed, numbers(last));
}

/**
 * Waits until the browser has given up all that is held, and lets everything pass from then on. A part that was let go
 * before would land although nobody waits for its answer.
 *
 * @param {import('./gate.mjs').Gate} gate
 */
export async function openWhenLetGo(gate) {
  await gate.until(({ passages }) => passages.every(({ isHeld, isCut }) => !isHeld || isCut));
  gate.open();
}

/**
 * What was acknowledged was not sent again, and nothing is missing.
 *
 * @param {import('./towline.mjs').Towline} towline
 * @param {number} count
 */
export function assertEveryPartLandedOnce({ api, parts }, count) {
  const story = api === parts ? `${api}` : `${api}\n${parts}`;
  assert.deepEqual(parts.landed, numbers(count), `every part lands once:\n${story}`);
}
