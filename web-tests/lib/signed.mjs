// One header-signed request to an S3 server, for what these tests have to set up there.

import { createHash, createHmac } from 'node:crypto';

/** @param {string | Buffer} key @param {string} text */
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
/** @param {string} text */
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/**
 * @typedef {{ endpoint: string, region: string, bucket: string, accessKey: string, secretKey: string }} S3
 *
 * @param {S3} s3
 * @param {string} method
 * @param {string} path
 * @param {string} query One parameter without a value, such as `cors`.
 * @param {string} body
 */
export async function request(s3, method, path, query, body) {
  const url = new URL(path, s3.endpoint);
  const moment = `${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`;
  const day = moment.slice(0, 8);
  const scope = `${day}/${s3.region}/s3/aws4_request`;
  const headers = {
    'content-md5': createHash('md5').update(body).digest('base64'),
    host: url.host,
    'x-amz-content-sha256': sha256(body),
    'x-amz-date': moment,
  };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = [method, url.pathname, `${query}=`, lines.join(''), names, sha256(body)].join('\n');
  const text = ['AWS4-HMAC-SHA256', moment, scope, sha256(canonical)].join('\n');
  const steps = [day, s3.region, 's3', 'aws4_request'];
  const key = steps.reduce((previous, step) => hmac(previous, step), Buffer.from(`AWS4${s3.secretKey}`));
  const signature = hmac(key, text).toString('hex');
  const credential = `Credential=${s3.accessKey}/${scope}`;
  const { host: _, ...sent } = headers;
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`;
  return fetch(`${url}?${query}`, { method, headers: { ...sent, authorization }, body });
}

/**
 * Lets pages of any origin send and read objects of the bucket, as every document asks for.
 *
 * @param {S3} s3
 */
export async function allowPages(s3) {
  const rule = ['GET', 'PUT', 'POST', 'HEAD', 'DELETE'].map((method) => `<AllowedMethod>${method}</AllowedMethod>`);
  const body =
    '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>' +
    `${rule.join('')}<AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>` +
    '<MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>';
  const answer = await request(s3, 'PUT', `/${s3.bucket}`, 'cors', body);
  if (!answer.ok) throw new Error(`the bucket's CORS rules were refused: ${answer.status} ${await answer.text()}`);
}
