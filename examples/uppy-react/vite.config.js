import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Relative addresses, so that the built page can lie in any folder of a web server.
export default defineConfig({ base: './', plugins: [react()] });
