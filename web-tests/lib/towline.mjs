// The server under test as a child process: on the embedded disk, or on an S3 server whose URLs the browser uses itself.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { afterwards } from './afterwards.mjs';
import { garage, towlineProgram } from './environment.mjs';
import { temporaryFolder } from './folder.mjs';
import { Gate } from './gate.mjs';
import { sha256Of } from './seeded.mjs';

/** @typedef {import('node:test').TestContext} TestContext */

/** Where bytes can lie, as the names of tests say it. */
export const STORES = /** @type {const} */ (['disk', 'garage']);

/**
 * A server with a gate in front of it, and one in front of the place that the parts go to: the same gate on the disk,
 * another one where browsers speak to the S3 server.
 */
export class Towline {
  /** @param {{ api: Gate, parts: Gate, store: string, data: string, address: string, log: string[] }} fields */
  constructor({ api, parts, store, data, address, log }) {
    this.api = api;
    this.parts = parts;
    this.store = store;
    this.data = data;
    this.address = address;
    this.log = log;
  }

  /**
   * @param {TestContext} test
   * @param {'disk' | 'garage'} store
   * @param {Record<string, string>} [settings] As environment variables, beside what the store needs.
   */
  static async start(test, store, settings = {}) {
    const data = await temporaryFolder(test);
    const api = await Gate.open(test);
    const parts = store === 'disk' ? api : await Gate.open(test, garage().endpoint);
    const options = ['--data', data, '--public-url', api.url];
    const whereBytesLie = store === 'disk' ? {} : s3Settings(parts.url);
    const { address, log } = await serve(test, options, { ...whereBytesLie, ...settings });
    api.upstream = address;
    // What the server tried out on the S3 server is no part of anybody's upload.
    parts.passages.length = 0;
    return new Towline({ api, parts, store, data, address, log });
  }

  /** Where pages find it. */
  get url() {
    return this.api.url;
  }

  /**
   * The SHA-256 of a finished file: read from the disk where it lies there, else downloaded.
   *
   * @param {string} key
   */
  async sha256(key) {
    if (this.store === 'disk') {
      return sha256Of(createReadStream(join(this.data, 'completed', ...key.split('/'))));
    }
    const path = key.split('/').map(encodeURIComponent).join('/');
    const response = await fetch(`${this.address}/download/${path}`);
    if (!response.ok || !response.body) throw new Error(`the download of ${key} answered ${response.status}`);
    return sha256Of(Readable.fromWeb(/** @type {any} */ (response.body)));
  }
}

/**
 * The environment of a server whose files lie in Garage, reached under this URL.
 *
 * @param {string} endpoint
 */
export function s3Settings(endpoint) {
  const { region, bucket, accessKey, secretKey } = garage();
  return {
    TOWLINE_STORE: 's3',
    TOWLINE_S3_BUCKET: bucket,
    TOWLINE_S3_REGION: region,
    TOWLINE_S3_ENDPOINT: endpoint,
    TOWLINE_S3_PATH_STYLE: 'true',
    TOWLINE_S3_ACCESS_KEY: accessKey,
    TOWLINE_S3_SECRET_KEY: secretKey,
  };
}

/**
 * Starts the program on a free port and waits for the line in which it says where it listens.
 *
 * @param {TestContext} test
 * @param {string[]} options
 * @param {Record<string, string>} settings
 */
export async function serve(test, options, settings) {
  const child = spawn(towlineProgram(), ['serve', '--listen', '127.0.0.1:0', ...options], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  afterwards(test, async () => {
    child.kill('SIGTERM');
    await ended;
  });
  /** @type {string[]} */
  const log = [];
  const address = await new Promise((resolve, reject) => {
    let isFound = false;
    const listen = (/** @type {Buffer} */ text) => {
      log.push(String(text));
      const found = isFound ? null : log.join('').match(/ serves (http:\/\/127\.0\.0\.1:\d+)/);
      if (!found) return;
      isFound = true;
      resolve(found[1]);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`towline ended with ${code}:\n${log.join('')}`)));
  });
  return { address, log, pid: /** @type {number} */ (child.pid) };
}
