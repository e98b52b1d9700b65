// What a test has opened is closed in the reverse order; the runner's own `after` would close the first thing first.

/** @type {WeakMap<object, (() => unknown)[]>} */
const stacks = new WeakMap();

/**
 * Calls `close` when the test is over, before everything that was opened earlier is closed.
 *
 * @param {import('node:test').TestContext} test
 * @param {() => unknown} close
 */
export function afterwards(test, close) {
  const stack = stacks.get(test);
  if (stack) {
    stack.push(close);
    return;
  }
  const fresh = [close];
  stacks.set(test, fresh);
  test.after(async () => {
    for (const next of fresh.reverse()) await next();
  });
}
