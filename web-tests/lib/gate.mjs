// An HTTP relay between a browser and a server. It can hold a request back, answer it in the server's place, and it
// remembers what came by. Tests use it instead of the browser's own interception, because that answers CORS
// preflights itself and so would hide what a server says to them.

import http from 'node:http';
import { PassThrough } from 'node:stream';

import { afterwards } from './afterwards.mjs';

/**
 * One request that came by.
 *
 * @typedef {object} Passage
 * @property {string} method
 * @property {string} path With the query, as it was sent.
 * @property {number | null} part The part's number, where this is the PUT of a part.
 * @property {number | null} status What was answered; null while nothing was.
 * @property {boolean} isHeld Whether a rule keeps it from the server.
 * @property {boolean} isCut Whether the browser gave it up.
 *
 * @typedef {{ status: number, headers?: Record<string, string>, body?: string }} Answer
 * @typedef {(passage: Passage) => 'pass' | 'hold' | 'cut' | Answer} Rule
 */

const PATIENCE_MS = 30_000;
/** Room for a whole part: Node sees that a browser is gone only while it reads what the browser sends. */
const BODY_BYTES = 32 * 1024 * 1024;

export class Gate {
  /** @type {Rule} */
  #rule = () => 'pass';
  /** @type {Set<() => void>} */
  #watchers = new Set();
  /** @type {Set<() => void>} */
  #held = new Set();
  /** @type {Passage[]} */
  passages = [];
  #agent = new http.Agent({ keepAlive: true });
  #server = http.createServer((request, response) => this.#pass(request, response));
  /** Where requests go; set once the server behind is known. */
  upstream = '';

  /**
   * @param {import('node:test').TestContext} test
   * @param {string} [upstream]
   */
  static async open(test, upstream = '') {
    const gate = new Gate();
    gate.upstream = upstream;
    await new Promise((resolve) => gate.#server.listen(0, '127.0.0.1', () => resolve(undefined)));
    afterwards(test, () => gate.#close());
    return gate;
  }

  get url() {
    const address = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /**
   * From now on this rule decides. Requests that are held are judged by it again.
   *
   * @param {Rule} rule
   */
  follow(rule) {
    this.#rule = rule;
    const held = [...this.#held];
    this.#held.clear();
    for (const judge of held) judge();
  }

  open() {
    this.follow(() => 'pass');
  }

  /**
   * Waits until this holds for what came by. It is asked again whenever something changes. Where it never comes true,
   * what came by is more telling than a test that ran out of time.
   *
   * @param {(gate: Gate) => boolean} claim
   */
  until(claim) {
    return /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        const giveUp = setTimeout(() => {
          this.#watchers.delete(look);
          reject(new Error(`this never came true: ${claim}; what came by:\n${this}`));
        }, PATIENCE_MS);
        const look = () => {
          if (!claim(this)) return;
          clearTimeout(giveUp);
          this.#watchers.delete(look);
          resolve();
        };
        this.#watchers.add(look);
        look();
      })
    );
  }

  /** The numbers of the parts that a server acknowledged, in order, each as often as it was. */
  get landed() {
    return this.passages
      .filter(({ part, status }) => part !== null && status === 200)
      .map(({ part }) => /** @type {number} */ (part))
      .sort((a, b) => a - b);
  }

  toString() {
    return this.passages
      .map(({ method, path, status, isHeld, isCut }) => {
        const state = isHeld ? 'held' : isCut ? 'cut' : (status ?? 'open');
        return `  ${state} ${method} ${path.split('?')[0]} ${path.match(/partNumber=\d+/) ?? ''}`;
      })
      .join('\n');
  }

  #changed() {
    for (const look of [...this.#watchers]) look();
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  #pass(request, response) {
    const path = request.url ?? '/';
    const number = request.method === 'PUT' && new URL(path, 'http://gate').searchParams.get('partNumber');
    /** @type {Passage} */
    const passage = {
      method: request.method ?? '',
      path,
      part: number ? Number(number) : null,
      status: null,
      isHeld: false,
      isCut: false,
    };
    this.passages.push(passage);
    response.on('close', () => {
      passage.isCut = !response.writableFinished;
      this.#changed();
    });
    response.on('finish', () => this.#changed());
    const body = request.pipe(new PassThrough({ highWaterMark: BODY_BYTES }));
    const judge = () => {
      if (response.destroyed) return;
      const verdict = this.#rule(passage);
      passage.isHeld = verdict === 'hold';
      if (verdict === 'hold') this.#held.add(judge);
      else if (verdict === 'cut') request.socket.destroy();
      else if (verdict === 'pass') this.#forward(request, body, response, passage);
      else this.#answer(body, response, passage, verdict);
      this.#changed();
    };
    judge();
  }

  /**
   * @param {PassThrough} body
   * @param {http.ServerResponse} response
   * @param {Passage} passage
   * @param {Answer} answer
   */
  #answer(body, response, passage, { status, headers = {}, body: text = '' }) {
    // A browser reads an answer only after it has sent the whole body.
    body.resume();
    body.on('end', () => {
      passage.status = status;
      response.writeHead(status, { 'Access-Control-Allow-Origin': '*', ...headers });
      response.end(text);
    });
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {PassThrough} body
   * @param {http.ServerResponse} response
   * @param {Passage} passage
   */
  #forward(request, body, response, passage) {
    const { hostname, port } = new URL(this.upstream);
    const onward = http.request({
      agent: this.#agent,
      host: hostname,
      port,
      method: request.method,
      path: request.url,
      headers: request.rawHeaders,
      setHost: false,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
      answer.pipe(response);
      response.on('finish', () => {
        passage.status = answer.statusCode ?? null;
        this.#changed();
      });
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    body.pipe(onward);
  }

  async #close() {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
