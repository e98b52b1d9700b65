// What `cargo xtask test` hands to these tests. Whatever is missing fails a test by name; nothing is skipped.

/**
 * The value of a variable without which a test cannot run.
 *
 * @param {string} name
 */
function needed(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(
      `${name} is not set: run \`cargo xtask test\`, or \`cargo xtask testbed\` and paste the lines it prints`,
    );
  }
  return value;
}

/** The program under test. */
export const towlineProgram = () => needed('TOWLINE_BIN');

/** Chromium from the distribution; these tests never download a browser. */
export const chromiumProgram = () => needed('TOWLINE_TEST_CHROMIUM');

/** The S3 server the tests may write to. */
export function garage() {
  const fields = needed('TOWLINE_TEST_GARAGE').split(',');
  if (fields.length !== 5) {
    throw new Error('TOWLINE_TEST_GARAGE is not endpoint,region,bucket,access_key,secret_key');
  }
  const [endpoint, region, bucket, accessKey, secretKey] = fields;
  return { endpoint, region, bucket, accessKey, secretKey };
}
