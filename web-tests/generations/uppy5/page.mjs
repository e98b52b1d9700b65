// Uppy 5: the plugin asks Companion's protocol for URLs and sends several parts at once.

import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';
import '@uppy/core/css/style.min.css';
import Dashboard from '@uppy/dashboard';
import '@uppy/dashboard/css/style.min.css';
import GoldenRetriever from '@uppy/golden-retriever';

import { dashboard, isAlwaysCut, kept, server, show } from '../page.mjs';

const uppy = new Uppy()
  .use(Dashboard, dashboard)
  .use(AwsS3, { endpoint: server, ...(isAlwaysCut && { shouldUseMultipart: true }) })
  .use(GoldenRetriever, { indexedDB: kept });

show(uppy);
