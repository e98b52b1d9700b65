// Files that look random, are the same in every run, and are known by their SHA-256.

import { createCipheriv, createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, utimes } from 'node:fs/promises';

export const MIB = 1024 * 1024;

/**
 * Writes `bytes` bytes that follow from the seed, and returns the SHA-256 of them.
 *
 * @param {string} path
 * @param {number} bytes
 * @param {string} seed
 */
export async function writeSeeded(path, bytes, seed) {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16));
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  for (let left = bytes; left > 0; left -= MIB) {
    const block = stream.update(Buffer.alloc(Math.min(left, MIB)));
    hash.update(block);
    await file.write(block);
  }
  await file.close();
  // Clients know a file again by its time, too.
  const time = new Date('2026-01-02T03:04:05Z');
  await utimes(path, time, time);
  return hash.digest('hex');
}

/** @param {AsyncIterable<Uint8Array>} bytes */
export async function sha256Of(bytes) {
  const hash = createHash('sha256');
  for await (const block of bytes) hash.update(block);
  return hash.digest('hex');
}

/** @param {string} path */
export const sha256OfFile = (path) => sha256Of(createReadStream(path));
