// One file to S3 in parts, signed in the browser. The server says under which key and with which signing key, and
// knows a file again by name, size and time: from another browser, too.

import { signedUrl } from './sign.js';

const MIB = 1024 * 1024;
const CHUNK_BYTES_MIN = 6 * MIB;
const CHUNKS_MAX = 10_000;
const WORKERS = 4;
const RETRY_WAITS_MS = [500, 1000, 2000, 4000, 8000];

/** An answer that trying again does not change. */
class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} text
   */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export class Uploader {
  /** @type {import('./sign.js').Grant} */
  #grant;
  /** How far the server's clock is ahead of this one. */
  #ahead_ms = 0;
  #uploadId = '';

  /**
   * @param {File} file
   * @param {object} options
   * @param {string} options.server
   * @param {string} [options.s3] Where S3 is, when it is not the server itself.
   * @param {boolean} [options.force] Forgets what the server knows of this file, and begins anew.
   * @param {AbortSignal} options.signal
   * @param {(landed: ReadonlySet<number>, count: number) => void} options.onProgress Told the chunks that are there.
   */
  constructor(file, { server, s3 = server, force = false, signal, onProgress }) {
    this.file = file;
    this.server = server;
    this.s3 = s3;
    this.force = force;
    this.signal = signal;
    this.onProgress = onProgress;
    this.chunkBytes = Math.max(CHUNK_BYTES_MIN, Math.ceil(file.size / CHUNKS_MAX / MIB) * MIB);
    this.count = Math.max(1, Math.ceil(file.size / this.chunkBytes));
  }

  /** Sends what is missing and returns the key of the finished file. */
  async upload() {
    await this.#askForGrant(this.force);
    const landed = (await this.#findLanded()) ?? (await this.#begin());
    this.onProgress(new Set(landed.keys()), this.count);
    const missing = [...Array(this.count).keys()].filter((chunk) => !landed.has(chunk));
    const present = new Set(landed.keys());
    const work = async () => {
      for (let chunk = missing.shift(); chunk !== undefined; chunk = missing.shift()) {
        await this.#send(chunk);
        present.add(chunk);
        this.onProgress(present, this.count);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    await this.#complete();
    return this.#grant.key;
  }

  /** @param {boolean} force */
  async #askForGrant(force) {
    const query = this.#identity();
    if (force) query.set('force', 'true');
    const answer = await this.#withRetries(() => this.#fetch(`${this.server}/upload-backend/signing_key/?${query}`));
    this.#grant = await answer.json();
    const { date } = this.#grant;
    // Without a time zone it would be read as this browser's own.
    this.#ahead_ms = Date.parse(/Z|[+-]\d\d:?\d\d$/.test(date) ? date : `${date}Z`) - Date.now();
  }

  #identity() {
    const { name, size, type, lastModified } = this.file;
    return new URLSearchParams({
      filename: name,
      filesize: String(size),
      content_type: type || 'application/octet-stream',
      last_modified: String(lastModified),
    });
  }

  /** The chunks S3 has of this file, with their tags; null when there is no upload to go on with. */
  async #findLanded() {
    if (!this.#grant.upload_id) return null;
    this.#uploadId = this.#grant.upload_id;
    try {
      return await this.#list();
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      await this.#askForGrant(true);
      return null;
    }
  }

  async #begin() {
    const headers = { 'content-type': this.#grant.content_type ?? 'application/octet-stream' };
    const answer = await this.#ask('POST', { uploads: '' }, { headers });
    this.#uploadId = textOf(parse(await answer.text()), 'UploadId');
    return new Map();
  }

  async #list() {
    /** @type {Map<number, string>} */
    const landed = new Map();
    for (let after = ''; ; ) {
      /** @type {Record<string, string>} */
      const query = { uploadId: this.#uploadId };
      if (after) query['part-number-marker'] = after;
      const page = parse(await (await this.#ask('GET', query)).text());
      for (const part of page.getElementsByTagName('Part')) {
        const chunk = Number(textOf(part, 'PartNumber')) - 1;
        // A part of another size belongs to another way of cutting.
        if (Number(textOf(part, 'Size')) === this.#slice(chunk).size) landed.set(chunk, textOf(part, 'ETag'));
      }
      if (textOf(page, 'IsTruncated') !== 'true') return landed;
      after = textOf(page, 'NextPartNumberMarker');
    }
  }

  /** @param {number} chunk */
  #slice(chunk) {
    return this.file.slice(chunk * this.chunkBytes, (chunk + 1) * this.chunkBytes);
  }

  /** @param {number} chunk */
  async #send(chunk) {
    await this.#ask('PUT', { partNumber: String(chunk + 1), uploadId: this.#uploadId }, { body: this.#slice(chunk) });
    const query = this.#identity();
    query.set('chunk', String(chunk));
    query.set('key', this.#grant.key);
    query.set('upload_id', this.#uploadId);
    // A courtesy: what S3 lists is what counts.
    await this.#fetch(`${this.server}/upload-backend/chunk_loaded/?${query}`).catch(() => {});
  }

  async #complete() {
    const landed = [...(await this.#list())].sort(([a], [b]) => a - b);
    const parts = landed.map(
      ([chunk, tag]) => `<Part><PartNumber>${chunk + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
    );
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
    const answer = parse(await (await this.#ask('POST', { uploadId: this.#uploadId }, { body })).text());
    // S3 may begin to answer 200 before it knows.
    if (answer.documentElement.tagName === 'Error') throw new Error(textOf(answer, 'Message'));
  }

  /**
   * @param {string} method
   * @param {Record<string, string>} query
   * @param {{ headers?: Record<string, string>, body?: Blob | string }} [content]
   */
  #ask(method, query, { headers = {}, body } = {}) {
    return this.#withRetries(async () => {
      const now = new Date(Date.now() + this.#ahead_ms);
      // A derived key is good for the day it was made on.
      if (now.toISOString().slice(0, 10) !== this.#grant.date.slice(0, 10)) await this.#askForGrant(false);
      const request = { method, key: this.#grant.key, query, headers };
      const url = await signedUrl(this.s3, this.#grant, request, now);
      return this.#fetch(url, { method, headers, body });
    });
  }

  /**
   * @param {string} url
   * @param {RequestInit} [init]
   */
  async #fetch(url, init = {}) {
    const answer = await fetch(url, { ...init, signal: this.signal });
    if (answer.ok) return answer;
    const text = (await answer.text()).match(/<Code>(.*?)<\/Code>/)?.[1] ?? `the server answered ${answer.status}`;
    throw answer.status < 500 && answer.status !== 429 ? new Refused(answer.status, text) : new Error(text);
  }

  /**
   * @template T
   * @param {() => Promise<T>} attempt
   * @returns {Promise<T>}
   */
  async #withRetries(attempt) {
    for (const wait of RETRY_WAITS_MS) {
      try {
        return await attempt();
      } catch (error) {
        if (this.signal.aborted || error instanceof Refused) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    return attempt();
  }
}

/** @param {string} xml */
function parse(xml) {
  return new DOMParser().parseFromString(xml, 'application/xml');
}

/**
 * @param {Document | Element} node
 * @param {string} name
 */
function textOf(node, name) {
  return node.getElementsByTagName(name)[0]?.textContent ?? '';
}
