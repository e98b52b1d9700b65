// The bucket of the S3 server, set up as a person would: by asking `towline doctor` to do it.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { garage, towlineProgram } from './environment.mjs';
import { s3Settings } from './towline.mjs';

/** Lets the pages of the tests send to the bucket and read what it answers. */
export async function letPagesIn() {
  const data = await mkdtemp(join(tmpdir(), 'towline-web-doctor-'));
  try {
    await promisify(execFile)(towlineProgram(), ['doctor', '--fix', '--data', data], {
      env: { PATH: process.env.PATH, ...s3Settings(garage().endpoint) },
    });
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    throw new Error(`the doctor could not help the bucket:\n${stdout}${stderr}`, { cause: error });
  } finally {
    await rm(data, { recursive: true });
  }
}
