// Uppy 3: the plugin of document 000, with the document's own options.

import AwsS3Multipart from '@uppy/aws-s3-multipart';
import Uppy from '@uppy/core';
import '@uppy/core/dist/style.min.css';
import Dashboard from '@uppy/dashboard';
import '@uppy/dashboard/dist/style.min.css';
import GoldenRetriever from '@uppy/golden-retriever';

import { dashboard, isAlwaysCut, kept, server, show } from '../page.mjs';

const uppy = new Uppy({ autoProceed: false, restrictions: { maxNumberOfFiles: 1 } })
  .use(Dashboard, dashboard)
  .use(AwsS3Multipart, {
    companionUrl: server,
    limit: 2,
    chunkSize: 2 * 1024 * 1024,
    shouldUseMultipart: isAlwaysCut,
  })
  .use(GoldenRetriever, { indexedDB: kept });

show(uppy);
