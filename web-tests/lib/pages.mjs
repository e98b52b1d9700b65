// A server for the pages of the tests, at an origin of its own, so that the browser asks the server under test for
// permission as it does in the world.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';

import { afterwards } from './afterwards.mjs';

const TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.mjs', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
]);

/**
 * Serves a folder and returns its URL.
 *
 * @param {import('node:test').TestContext} test
 * @param {string} folder
 */
export async function servePages(test, folder) {
  const server = http.createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://pages').pathname));
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    const isThere = await stat(file).then((found) => found.isFile(), () => false);
    if (!isThere) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': TYPES.get(extname(file)) ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  afterwards(test, async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  // The other name of the same machine: another origin and, for cookies, another site.
  return `http://localhost:${port}`;
}
