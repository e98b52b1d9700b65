// Requests over kept-alive connections, so many at once, and what they cost the server.

import http from 'node:http';

import { usageOf } from './usage.mjs';

/**
 * @typedef {{ name: string, url: string, pid: number }} Server
 * @typedef {{ method?: string, path: string, body?: string }} Request
 */

/**
 * @param {http.Agent} agent
 * @param {string} base
 * @param {Request} request
 * @returns {Promise<string>}
 */
function ask(agent, base, { method = 'GET', path, body }) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const request = http.request(`${base}${path}`, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${method} ${path.slice(0, 80)}: ${response.statusCode} ${text.slice(0, 300)}`));
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/**
 * @param {string} base
 * @param {Request} request
 */
export async function askOnce(base, request) {
  const agent = new http.Agent();
  return JSON.parse(await ask(agent, base, request));
}

/**
 * Sends the requests and answers how many URLs came, per second and per second of the server's CPU.
 *
 * @param {Server} server
 * @param {{ requests: Request[], connections: number, urlsEach: number, urlsIn: (text: string) => number }} load
 */
export async function measure(server, { requests, connections, urlsEach, urlsIn }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const first = urlsIn(await ask(agent, server.url, requests[0]));
  if (first !== urlsEach) throw new Error(`${server.name} answered ${first} URLs instead of ${urlsEach}`);
  const before = await usageOf(server.pid);
  const began = performance.now();
  let next = 0;
  const work = async () => {
    while (next < requests.length) await ask(agent, server.url, requests[next++]);
  };
  await Promise.all(Array.from({ length: connections }, work));
  const seconds = (performance.now() - began) / 1000;
  const after = await usageOf(server.pid);
  agent.destroy();
  const urls = requests.length * urlsEach;
  return { per_s: urls / seconds, per_cpu_s: urls / (after.cpu_s - before.cpu_s) };
}
