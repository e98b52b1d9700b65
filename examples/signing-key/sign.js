// Signing a request to S3 in the browser, by a derived key: the URL carries the signature, the secret stays at home.
// What is sent and when is in uploader.js.

/**
 * What the server hands out for one file.
 *
 * @typedef {object} Grant
 * @property {string} date When it was made, in ISO 8601.
 * @property {string} signature The derived signing key, in hexadecimal: good for one day, one region and S3.
 * @property {string} access_key
 * @property {string} region
 * @property {string} bucket
 * @property {string} key Where the file will be.
 * @property {string} [content_type]
 * @property {string} [upload_id] Given when the file is on its way already.
 * @property {number[]} [chunks] Those that have arrived, counted from 0.
 *
 * @typedef {object} Request
 * @property {string} method
 * @property {string} key
 * @property {Record<string, string>} query
 * @property {Record<string, string>} [headers] Signed, so they must be sent as they are; names in lower case.
 */

const VALID_S = 900;
const ALGORITHM = 'AWS4-HMAC-SHA256';
const utf8 = new TextEncoder();

/**
 * The URL of a request, signed.
 *
 * @param {string} endpoint Where S3 is, such as `https://s3.example.com`.
 * @param {Grant} grant
 * @param {Request} request
 * @param {Date} now
 */
export async function signedUrl(endpoint, grant, { method, key, query, headers = {} }, now) {
  const { origin, host } = new URL(endpoint);
  const path = `/${[grant.bucket, ...key.split('/')].map(encode).join('/')}`;
  const moment = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${moment.slice(0, 8)}/${grant.region}/s3/aws4_request`;
  const signed = sorted({ ...headers, host });
  const names = signed.map(([name]) => name).join(';');
  const parameters = sorted({
    ...query,
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': `${grant.access_key}/${scope}`,
    'X-Amz-Date': moment,
    'X-Amz-Expires': String(VALID_S),
    'X-Amz-SignedHeaders': names,
  });
  const canonicalQuery = parameters.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  const canonicalHeaders = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
  const canonical = [method, path, canonicalQuery, canonicalHeaders, names, 'UNSIGNED-PAYLOAD'].join('\n');
  const text = [ALGORITHM, moment, scope, await sha256(canonical)].join('\n');
  const signature = await hmac(fromHex(grant.signature), text);
  return `${origin}${path}?${canonicalQuery}&X-Amz-Signature=${signature}`;
}

/** @param {string} text */
function encode(text) {
  const strictly = (/** @type {string} */ mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, strictly);
}

/** By code unit, as S3 sorts; the names here are all ASCII.
 * @param {Record<string, string>} pairs */
function sorted(pairs) {
  return Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @param {string} text */
async function sha256(text) {
  return toHex(await crypto.subtle.digest('SHA-256', utf8.encode(text)));
}

/**
 * @param {Uint8Array} secret
 * @param {string} text
 */
async function hmac(secret, text) {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', secret, algorithm, false, ['sign']);
  return toHex(await crypto.subtle.sign('HMAC', key, utf8.encode(text)));
}

/** @param {ArrayBuffer} bytes */
function toHex(bytes) {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} text */
function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
