// The import rules of the house: a star around core. Each comment says how
// to get out of a violation.

/** Small and pure enough to be loaded with every connector and destination. */
const LIGHT = '^node_modules/(zod|libphonenumber-js|busboy)/';
/** Loaded by their one user when it opens, wherever that is. */
const HEAVY =
  '^node_modules/(pg|pg-[^/]+|bullmq|ioredis|imapflow|mailparser|nodemailer|smtp-server|grammy|twilio|whatsapp-web\\.js|puppeteer[^/]*|discord[^/]*|@discordjs|@slack|@line|botbuilder|googleapis|playwright-core|vite|typescript)/';
/** What only worker processes load: their entry files, which nobody imports, and parts that only they import. */
const WORKER_PARTS = '^src/connectors/email/(parts|files|text/markup)\\.ts$';
const WORKER_ENTRY = '(-worker|/(connectors|dispatch)/.+/worker)\\.ts$';
const WORKER = [WORKER_ENTRY, WORKER_PARTS];
const NPM = '^node_modules/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'star',
      comment: 'A folder knows core and itself. Pass the value in from src/tributary.ts, or move its type to core.',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/', pathNot: '^src/(core|$1)/' },
    },
    {
      name: 'core-is-the-bottom',
      comment: 'The contract needs nothing but zod and Node: move what needs more to the folder that uses it.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: '^(src/core/|node_modules/zod/)', dependencyTypesNot: ['core'] },
    },
    {
      name: 'plugins-know-only-core',
      comment: 'A connector or destination is one folder that can be deleted. Move what two of them share to core.',
      severity: 'error',
      from: { path: '^src/(connectors|dispatch)/([^/]+)/' },
      to: { path: '^src/$1/', pathNot: '^src/$1/$2/' },
    },
    {
      name: 'plugins-are-registered-in-index',
      comment: 'Only index.ts names connectors and destinations; everything else takes them as values.',
      severity: 'error',
      from: { path: '^src/(connectors|dispatch)/[^/]+\\.ts$', pathNot: '/index\\.ts$' },
      to: { path: '^src/$1/[^/]+/' },
    },
    {
      name: 'plugins-load-packages-in-open',
      comment: 'Use `await import()` inside open(), so that only those who configure it pay for it.',
      severity: 'error',
      from: { path: '^src/(connectors|dispatch)/[^/]+/', pathNot: WORKER },
      to: { path: NPM, pathNot: LIGHT, dynamic: false, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'heavy-packages-are-loaded-late',
      comment: 'Use `await import()` where it is opened. A worker file may import it, being loaded late itself.',
      severity: 'error',
      from: { path: '^src/', pathNot: WORKER },
      to: { path: HEAVY, dynamic: false, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'parts-of-workers-stay-in-workers',
      comment: 'It loads heavy packages: only a worker process may import it.',
      severity: 'error',
      from: { path: '^src/', pathNot: WORKER },
      to: { path: WORKER_PARTS, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circle',
      comment: 'Two files that need each other are one thing: merge them, or move what both need to a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'product-needs-no-development-packages',
      comment:
        'Would be missing after `npm ci --omit=dev`: move it to dependencies, with a line in docs/dependencies.md.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '^node_modules/@types/' },
    },
    {
      name: 'product-knows-no-tests',
      comment: 'What both need belongs to src/.',
      severity: 'error',
      from: { path: '^(src|console|widget)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'browser-knows-only-core-types',
      comment: 'Front ends talk HTTP to the gateway; they may borrow types from core.',
      severity: 'error',
      from: { path: '^(console|widget)/' },
      to: { path: '^src/', pathNot: '^src/core/' },
    },
    {
      name: 'browser-takes-types-only',
      comment: 'Code of the gateway would end up in the browser: import it with `import type`.',
      severity: 'error',
      from: { path: '^(console|widget)/' },
      to: { path: '^src/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-missing-file',
      comment: 'Nothing of that name: a typing error, or a package that package.json doesn’t list.',
      severity: 'error',
      from: { path: '^(src|test|console|widget|scripts|bench)/' },
      // Older Nodes have no node:sqlite, and src/store/sqlite.ts knows when not to ask for it; dist/ may not be built yet.
      to: { couldNotResolve: true, pathNot: ['^node:sqlite$', '(^|/)dist/'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/fixtures/' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.d.ts'],
    },
    reporterOptions: { text: { highlightFocused: true } },
  },
};
