// Uppy Companion as its own documentation sets it up, with the S3 server of the environment: what Towline is measured
// beside. Prints where it listens.

import * as companion from '@uppy/companion';
import express from 'express';

const { TOWLINE_TEST_GARAGE = '', DATA = '' } = process.env;
const [endpoint, region, bucket, key, secret] = TOWLINE_TEST_GARAGE.split(',');

const app = express();
app.use(express.json());
const { app: signer } = companion.app({
  server: { host: '127.0.0.1', protocol: 'http' },
  filePath: DATA,
  secret: 'a secret of this bench only',
  corsOrigins: true,
  uploadUrls: [/^http:\/\/127\.0\.0\.1/],
  s3: {
    key,
    secret,
    bucket,
    region,
    endpoint,
    forcePathStyle: true,
    expires: 3600,
    // Else every URL carries the checksum of an empty body, which Garage compares with the part's.
    awsClientOptions: { requestChecksumCalculation: 'WHEN_REQUIRED' },
  },
});
app.use(signer);

const listener = app.listen(0, '127.0.0.1', () => {
  console.log(`companion listens on http://127.0.0.1:${listener.address().port}`);
});
