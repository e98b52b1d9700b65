// Uppy's Dashboard with the S3 plugin of three generations: what people do to an upload half-way.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { before } from 'node:test';

import { openBrowser, shoot } from '../lib/browser.mjs';
import { letPagesIn } from '../lib/doctor.mjs';
import { temporaryFolder } from '../lib/folder.mjs';
import { assertEveryPartLandedOnce, isHalfWay, onlyTheFirst, openWhenLetGo } from '../lib/half.mjs';
import { MIB, writeSeeded } from '../lib/seeded.mjs';
import { STORES, Towline } from '../lib/towline.mjs';
import { Dashboard, serveGeneration } from '../lib/uppy.mjs';

const BYTES = 60 * MIB;
const PARTS = 12;
/** Parts up to here land before something happens. */
const FIRST = 4;

before(letPagesIn);

/**
 * A server, a browser and the page of a generation.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} generation
 * @param {'disk' | 'garage'} store
 */
async function stage(t, generation, store) {
  const folder = await temporaryFolder(t);
  const towline = await Towline.start(t, store);
  const browser = await openBrowser(t);
  const pages = await serveGeneration(t, generation, folder);
  const file = join(folder, 'a film.bin');
  const sha256 = await writeSeeded(file, BYTES, generation);
  const page = (/** @type {Record<string, string>} */ options) =>
    `${pages}/?${new URLSearchParams({ server: towline.url, cut: 'always', ...options })}`;
  return { towline, browser, file, sha256, page };
}

for (const generation of ['uppy6', 'uppy5', 'uppy3']) {
  for (const store of STORES) {
    const shot = (/** @type {string} */ moment) => `${generation}-${store}-${moment}`;

    test(`${generation} on ${store}: paused, resumed, and a part that fails once`, async (t) => {
      const { towline, browser, file, sha256, page } = await stage(t, generation, store);
      const { parts } = towline;
      parts.follow(onlyTheFirst(FIRST));
      const dashboard = await Dashboard.open(t, browser, page({}));
      await dashboard.choose(file);
      await shoot(dashboard.page, shot('1-chosen'));
      await dashboard.upload();
      await isHalfWay(parts, FIRST);
      await dashboard.pause();
      await shoot(dashboard.page, shot('2-paused'));
      await openWhenLetGo(parts);
      let failures = 0;
      parts.follow(({ part }) => {
        if (part !== 8 || failures > 0) return 'pass';
        failures += 1;
        return { status: 500, body: 'no' };
      });
      await dashboard.resume();
      const { key } = await dashboard.outcome();
      await shoot(dashboard.page, shot('3-complete'));
      assert.equal(failures, 1);
      assertEveryPartLandedOnce(towline, PARTS);
      assert.equal(await towline.sha256(String(key)), sha256);
    });

    test(`${generation} on ${store}: the tab is closed and opened again`, async (t) => {
      const { towline, browser, file, sha256, page } = await stage(t, generation, store);
      const { parts } = towline;
      const address = page({ kept: String(2 * BYTES) });
      parts.follow(onlyTheFirst(FIRST));
      const first = await Dashboard.open(t, browser, address);
      await first.choose(file);
      await first.upload();
      await isHalfWay(parts, FIRST);
      await first.isKept({ withBytes: true });
      await first.page.close();
      await openWhenLetGo(parts);
      const second = await Dashboard.open(t, browser, address);
      await second.page.locator('.uppy-Dashboard-Item').waitFor();
      await shoot(second.page, shot('4-restored'));
      await second.upload();
      const { key } = await second.outcome();
      await shoot(second.page, shot('5-complete'));
      assertEveryPartLandedOnce(towline, PARTS);
      assert.equal(await towline.sha256(String(key)), sha256);
    });

    test(`${generation} on ${store}: the tab is closed, and the file is chosen again`, async (t) => {
      const { towline, browser, file, sha256, page } = await stage(t, generation, store);
      const { parts } = towline;
      parts.follow(onlyTheFirst(FIRST));
      const first = await Dashboard.open(t, browser, page({}));
      await first.choose(file);
      await first.upload();
      await isHalfWay(parts, FIRST);
      await first.isKept({ withBytes: false });
      await first.page.close();
      await openWhenLetGo(parts);
      const second = await Dashboard.open(t, browser, page({}));
      await second.page.locator('.uppy-Dashboard-Item.is-ghost').waitFor();
      await shoot(second.page, shot('6-ghost'));
      await second.chooseAgain(file);
      await second.upload();
      const { key } = await second.outcome();
      assertEveryPartLandedOnce(towline, PARTS);
      assert.equal(await towline.sha256(String(key)), sha256);
    });
  }
}
