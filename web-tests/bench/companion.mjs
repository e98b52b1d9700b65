// Towline beside Uppy Companion on the same machine and the same S3 server: signed URLs, one by one and in batches, the
// CPU they cost the server, and its memory; then parts that go through Towline. Figures of a busy machine: ratios matter.
//
// `TOWLINE_BIN` (a release build) and `TOWLINE_TEST_GARAGE` say what is measured.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { garage } from '../lib/environment.mjs';
import { s3Settings, serve } from '../lib/towline.mjs';
import { askOnce, measure } from './load.mjs';
import { measureRelay } from './relay.mjs';
import { usageOf } from './usage.mjs';

/** @typedef {import('./load.mjs').Server} Server */

/** How much is asked of each, so that a measurement takes seconds. */
const SINGLE = { companion: 2_000, towline: 20_000 };
const BATCHES = { companion: 100, towline: 2_000 };
const WHOLE = 40;

const folder = await mkdtemp(join(tmpdir(), 'towline-bench-'));
/** @type {(() => unknown)[]} */
const closers = [() => rm(folder, { recursive: true, force: true })];
const bench = /** @type {any} */ ({ after: (/** @type {() => unknown} */ close) => closers.push(close) });

try {
  const companion = await startCompanion();
  const towline = await startTowline();
  const rows = [await signing(companion, SINGLE.companion, BATCHES.companion)];
  rows.push(await signing(towline, SINGLE.towline, BATCHES.towline));
  show(rows[0], rows[1]);
  await showWhole(towline);
  await showRelay();
} finally {
  for (const close of closers.reverse()) await close();
}

/** @returns {Promise<Server>} */
async function startCompanion() {
  const program = fileURLToPath(new URL('companion-server.mjs', import.meta.url));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, NODE_ENV: 'production', DATA: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  closers.push(async () => {
    child.kill();
    await ended;
  });
  const url = await new Promise((resolve, reject) => {
    child.stdout.on('data', (text) => {
      const found = String(text).match(/companion listens on (\S+)/);
      if (found) resolve(found[1]);
    });
    child.on('exit', (code) => reject(new Error(`Companion ended with ${code}`)));
  });
  return { name: 'Uppy Companion', url, pid: /** @type {number} */ (child.pid) };
}

/** @returns {Promise<Server>} */
async function startTowline() {
  const data = await mkdtemp(join(folder, 'towline-'));
  const options = ['--data', data];
  const { address, pid } = await serve(bench, options, s3Settings(garage().endpoint));
  return { name: 'Towline', url: address, pid };
}

/**
 * @param {Server} server
 * @param {number} singles
 * @param {number} batches
 */
async function signing(server, singles, batches) {
  const { upload, query } = await begin(server);
  const base = `/s3/multipart/${encodeURIComponent(upload)}`;
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1).join(',');
  const one = Array.from({ length: singles }, (_, index) => ({ path: `${base}/${(index % 10_000) + 1}?${query}` }));
  const many = Array.from({ length: batches }, () => ({ path: `${base}/batch?${query}&partNumbers=${hundred}` }));
  const single = { requests: one, urlsEach: 1, urlsIn: (/** @type {string} */ text) => (JSON.parse(text).url ? 1 : 0) };
  const idle = await usageOf(server.pid);
  return {
    name: server.name,
    alone: await measure(server, { ...single, connections: 1 }),
    crowd: await measure(server, { ...single, connections: 16 }),
    batch: await measure(server, {
      requests: many,
      connections: 4,
      urlsEach: 100,
      urlsIn: urlsInBatch,
    }),
    idle_mib: idle.peak_mib,
    peak_mib: (await usageOf(server.pid)).peak_mib,
  };
}

/** @param {string} text */
function urlsInBatch(text) {
  return Object.keys(JSON.parse(text).presignedUrls).length;
}

/** @param {Server} server */
async function begin(server) {
  const body = JSON.stringify({ filename: 'film.webm', type: 'video/webm', metadata: {} });
  const { key, uploadId } = await askOnce(server.url, { method: 'POST', path: '/s3/multipart', body });
  return { upload: uploadId, query: `key=${encodeURIComponent(key)}` };
}

/** @typedef {Awaited<ReturnType<typeof signing>>} Row */

/**
 * @param {Row} companion
 * @param {Row} towline
 */
function show(companion, towline) {
  const line = (/** @type {string} */ what, /** @type {(row: Row) => number} */ of, digits = 0) => {
    const [theirs, ours] = [of(companion), of(towline)];
    const ratio = ours > theirs ? `${(ours / theirs).toFixed(0)} ×` : `1/${(theirs / ours).toFixed(0)}`;
    return `| ${what} | ${theirs.toFixed(digits)} | ${ours.toFixed(digits)} | ${ratio} |`;
  };
  print([
    '| | Uppy Companion | Towline | |',
    '|---|---:|---:|---:|',
    line('URLs/s, one by one, 1 connection', ({ alone }) => alone.per_s),
    line('URLs per CPU second, one by one, 1 connection', ({ alone }) => alone.per_cpu_s),
    line('URLs/s, one by one, 16 connections', ({ crowd }) => crowd.per_s),
    line('URLs per CPU second, one by one, 16 connections', ({ crowd }) => crowd.per_cpu_s),
    line('URLs/s, batches of 100', ({ batch }) => batch.per_s),
    line('URLs per CPU second, batches of 100', ({ batch }) => batch.per_cpu_s),
    line('peak memory when started, MiB', ({ idle_mib }) => idle_mib, 1),
    line('peak memory afterwards, MiB', ({ peak_mib }) => peak_mib, 1),
  ]);
}

/**
 * All 10,000 URLs of an upload in one reply.
 *
 * @param {Server} towline
 */
async function showWhole(towline) {
  const { upload, query } = await begin(towline);
  const path = `/s3/multipart/${upload}/batch?${query}&partNumbers=1-10000`;
  const { per_s, per_cpu_s } = await measure(towline, {
    requests: Array.from({ length: WHOLE }, () => ({ path })),
    connections: 1,
    urlsEach: 10_000,
    urlsIn: urlsInBatch,
  });
  const { peak_mib } = await usageOf(towline.pid);
  print([
    '',
    `Towline, 10,000 URLs in one reply: ${per_s.toFixed(0)} URLs/s, ${per_cpu_s.toFixed(0)} per CPU second, ` +
      `peak memory ${peak_mib.toFixed(1)} MiB`,
  ]);
}

async function showRelay() {
  for (const load of [
    { what: '8 clients as fast as they can', clients: 8, parts: 10, partMib: 8, rateMib: Infinity },
    { what: '64 clients at 1 MiB/s', clients: 64, parts: 1, partMib: 8, rateMib: 1 },
  ]) {
    const towline = await startTowline();
    const { mib_per_s, cpu_s_per_gib } = await measureRelay(towline, load);
    const { peak_mib } = await usageOf(towline.pid);
    print([
      `Towline, parts through it to S3, ${load.what}: ${mib_per_s.toFixed(0)} MiB/s, ` +
        `${cpu_s_per_gib.toFixed(2)} CPU s/GiB, peak memory ${peak_mib.toFixed(1)} MiB`,
    ]);
  }
}

/** @param {string[]} lines */
function print(lines) {
  console.log(lines.join('\n'));
}
