// Runs the tests one file after the other, and says in one last line how it went.
// `node run.mjs uppy` runs the files whose names hold the word.

import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const words = process.argv.slice(2);
const folder = fileURLToPath(new URL('tests/', import.meta.url));
const names = (await readdir(folder)).filter((name) => name.endsWith('.test.mjs')).sort();
const chosen = names.filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
const tally = { passed: 0, failed: 0 };

const events = run({ files: chosen.map((name) => `${folder}${name}`), concurrency: 1, timeout: 300_000 });
// A file is reported like a test that holds the others: only what has no children of its own is counted.
events.on('test:pass', ({ details, skip, todo }) => {
  if (details.type !== 'suite' && skip === undefined && todo === undefined) tally.passed += 1;
});
events.on('test:fail', ({ details }) => {
  if (details.type !== 'suite') tally.failed += 1;
});
events.on('end', () => {
  // The reporter's own last lines come first.
  setImmediate(() => {
    console.log(`web-tests: ${tally.passed} passed, ${tally.failed} failed, in ${chosen.length} files`);
    process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;
  });
});
events.compose(new spec()).pipe(process.stdout);
