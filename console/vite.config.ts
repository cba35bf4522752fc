import { defineConfig } from 'vite';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/console',
    target: 'es2022',
    // The page's policy lets nothing inline through, and what a section needs is fetched when somebody goes there.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});
