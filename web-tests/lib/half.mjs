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
 * What was acknowledged was not sent again, and nothing is missing.
 *
 * @param {import('./towline.mjs').Towline} towline
 * @param {number} count
 */
export function assertEveryPartLandedOnce({ api, parts }, count) {
  const story = api === parts ? `${api}` : `${api}\n${parts}`;
  assert.deepEqual(parts.landed, numbers(count), `every part lands once:\n${story}`);
}
