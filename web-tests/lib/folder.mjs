// A folder of a test, gone when the test is over.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterwards } from './afterwards.mjs';

/** @param {import('node:test').TestContext} test */
export async function temporaryFolder(test) {
  const folder = await mkdtemp(join(tmpdir(), 'towline-web-'));
  // A browser that is just ending may still write into its profile.
  afterwards(test, () => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  return folder;
}
