import { defineConfig } from 'vite';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/console',
    target: 'es2022',
    // The page's policy lets nothing inline through, and there is only one chunk to load.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});
