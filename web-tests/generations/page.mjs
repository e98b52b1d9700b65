// What the pages of all generations share: their settings stand in the address, their outcome in `window.outcome`.

const query = new URLSearchParams(location.search);

/** The server that uploads go to. */
export const server = query.get('server');

/** Whether every file is cut into parts, also a small one. */
export const isAlwaysCut = query.get('cut') === 'always';

/** How large a file's bytes may be to be kept by Golden Retriever; its own limit where nothing is said. */
export const kept = query.has('kept')
  ? { maxFileSize: Number(query.get('kept')), maxTotalSize: 4 * Number(query.get('kept')) }
  : {};

export const dashboard = {
  inline: true,
  target: '#dashboard',
  width: 860,
  height: 560,
  showProgressDetails: true,
  proudlyDisplayPoweredByUppy: false,
  note: 'The parts of a file can be sent again one by one',
};

/** Lets the tests look at an Uppy, and tells them how its upload ended. */
export function show(uppy) {
  window.uppy = uppy;
  window.outcome = null;
  uppy.on('upload-success', (file, response) => {
    window.outcome = { key: response.body?.key ?? null, url: response.uploadURL ?? null };
  });
  uppy.on('upload-error', (file, error) => {
    window.outcome = { error: error.message };
  });
}
