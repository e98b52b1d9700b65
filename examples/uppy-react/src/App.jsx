import Dashboard from '@uppy/react/dashboard';
import { useEffect, useState } from 'react';

import { makeUppy, serverUrl } from './uppy.js';

import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';

/** One page: choose a video, watch it go, find it again. */
export function App() {
  const [uppy] = useState(makeUppy);
  const [keys, setKeys] = useState([]);

  useEffect(() => {
    const add = (_file, response) => setKeys((before) => [...before, response.body.key]);
    uppy.on('upload-success', add);
    return () => uppy.off('upload-success', add);
  }, [uppy]);

  return (
    <main>
      <h1>Upload a video</h1>
      <p>Pause it, close the tab, lose the line: it goes on where it was.</p>
      <Dashboard uppy={uppy} width="100%" height={380} proudlyDisplayPoweredByUppy={false} />
      {keys.length > 0 && (
        <ul aria-label="Finished">
          {keys.map((key) => (
            <li key={key}>
              <a href={downloadUrl(key)}>{key}</a>
            </li>
          ))}
        </ul>
      )}
    </main>
  );
}

function downloadUrl(key) {
  return `${serverUrl}/download/${key.split('/').map(encodeURIComponent).join('/')}`;
}
