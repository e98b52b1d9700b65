// Parts that go through the server to S3, from clients of a given speed.

import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

import { askOnce } from './load.mjs';
import { usageOf } from './usage.mjs';

const MIB = 1024 * 1024;
/** A slow client sends this much at a time. */
const SIP_BYTES = 64 * 1024;

/**
 * @param {import('./load.mjs').Server} server
 * @param {{ clients: number, parts: number, partMib: number, rateMib: number }} load
 */
export async function measureRelay(server, { clients, parts, partMib, rateMib }) {
  const bytes = Buffer.alloc(partMib * MIB, 'towline');
  const uploads = await Promise.all(
    Array.from({ length: clients }, (_, client) =>
      askOnce(server.url, {
        method: 'POST',
        path: '/upload/init',
        body: JSON.stringify({
          filename: `bench-${client}.bin`,
          file_size: parts * bytes.length,
          chunk_size: bytes.length,
        }),
      }),
    ),
  );
  const before = await usageOf(server.pid);
  const began = performance.now();
  await Promise.all(
    uploads.map(async ({ session_id: id }) => {
      for (let part = 1; part <= parts; part += 1) await put(`${server.url}/upload/${id}/part/${part}`, bytes, rateMib);
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const after = await usageOf(server.pid);
  await Promise.all(
    uploads.map(({ session_id: id }) => askOnce(server.url, { method: 'DELETE', path: `/upload/${id}` })),
  );
  const mib = clients * parts * partMib;
  return { mib_per_s: mib / seconds, cpu_s_per_gib: ((after.cpu_s - before.cpu_s) * 1024) / mib };
}

/**
 * @param {string} url
 * @param {Buffer} bytes
 * @param {number} rateMib
 */
async function put(url, bytes, rateMib) {
  const request = http.request(url, { method: 'PUT', headers: { 'Content-Length': bytes.length } });
  const answered = new Promise((resolve, reject) => {
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(undefined);
        else reject(new Error(`a part was answered with ${response.statusCode}: ${text}`));
      });
    });
    request.on('error', reject);
  });
  if (rateMib === Infinity) {
    request.end(bytes);
  } else {
    const began = performance.now();
    for (let at = 0; at < bytes.length; at += SIP_BYTES) {
      request.write(bytes.subarray(at, at + SIP_BYTES));
      const due_ms = ((at + SIP_BYTES) / (rateMib * MIB)) * 1000;
      await wait(Math.max(0, due_ms - (performance.now() - began)));
    }
    request.end();
  }
  return answered;
}
