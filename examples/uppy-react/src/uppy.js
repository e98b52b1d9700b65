import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';
import GoldenRetriever from '@uppy/golden-retriever';

/** Where Towline listens: `VITE_TOWLINE_URL=https://uploads.example.com npm run build`. */
export const serverUrl = import.meta.env.VITE_TOWLINE_URL ?? 'http://127.0.0.1:8000';

const MIB = 1024 * 1024;

export function makeUppy() {
  return (
    new Uppy({ autoProceed: false, restrictions: { maxNumberOfFiles: 1 } })
      // Uppy asks Towline for the upload and for a signed URL of each part; the bytes go where the URLs lead.
      .use(AwsS3, {
        companionEndpoint: serverUrl,
        // Uppy's own limit is 100 MiB; a smaller file would begin from zero after a lost line.
        shouldUseMultipart: (file) => file.size > 5 * MIB,
      })
      // Knows an unfinished upload again when the page is opened the next time.
      .use(GoldenRetriever)
  );
}
