import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// Each ban says what to use instead. The same syntax is banned everywhere unless a block at the end says otherwise.

const everywhere = [
  ban("CallExpression[callee.name='eval']", 'No code from strings.'),
  ban("NewExpression[callee.name='Function'], CallExpression[callee.name='Function']", 'No code from strings.'),
  ban(
    "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)$/], JSXAttribute[name.name='dangerouslySetInnerHTML'], Property[key.name='dangerouslySetInnerHTML'], CallExpression[callee.object.name='document'][callee.property.name=/^write(ln)?$/]",
    'Markup from a string runs scripts: build elements, set textContent.',
  ),
  ban(
    "Property[key.name='shell'][value.value=true]",
    'A shell reads its arguments as code: pass an array without a shell.',
  ),
];

const product = [
  ...everywhere,
  ban(
    "CallExpression[callee.object.name='Object'][callee.property.name='assign'][arguments.0.type='ObjectExpression'][arguments.0.properties.length=0]",
    'Object.assign adopts a parsed __proto__: spread, or pick the keys with zod.',
  ),
  ban(
    "NewExpression[callee.name='RegExp'][arguments.0.type!='Literal'], CallExpression[callee.name='RegExp'][arguments.0.type!='Literal']",
    'A pattern put together at run time can hang or be taken over: write a literal.',
  ),
  ban(
    'Identifier[name=/^(createBrotli(C|Dec)ompress|brotli(Dec|C)ompress(Sync)?|Brotli(Dec|C)ompress)$/]',
    'No Brotli: some supported Node versions have a vulnerable decoder. Use gzip with a cap.',
  ),
  ban("NewExpression[callee.name='DecompressionStream'][arguments.0.value=/^br/]", 'No Brotli. Use gzip with a cap.'),
  ban(
    'BinaryExpression[operator=/^[!=]==?$/][left.type=/^(Identifier|MemberExpression)$/][right.type=/^(Identifier|MemberExpression)$/]:matches([left.name=/(secret|signature|hmac|password)$/i], [left.property.name=/(secret|signature|hmac|password)$/i], [right.name=/(secret|signature|hmac|password)$/i], [right.property.name=/(secret|signature|hmac|password)$/i])[right.name!="undefined"]',
    'Comparing secrets with === tells their prefix by its time: use equalSecrets of core/secret.ts.',
  ),
];

const gateway = [
  ...product,
  ban(
    "MemberExpression[object.name='Date'][property.name='now'], NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
    'Take the time from the Clock, so that tests can move it.',
  ),
  ban(
    ":matches(ClassDeclaration, ClassExpression):not([superClass.name=/Error$/]):not([id.name='Secret'])",
    'Factory functions over classes; only errors and Secret are classes.',
  ),
  ban(
    "Program > VariableDeclaration[kind!='const'], Program > ExportNamedDeclaration > VariableDeclaration[kind!='const']",
    'State at module level is shared by all tests and tenants: keep it in what createX returns.',
  ),
  ban(
    'Program > VariableDeclaration > VariableDeclarator > NewExpression[callee.name=/^(Weak)?Map$/][arguments.length=0]',
    'State at module level is shared by all tests and tenants: keep it in what createX returns.',
  ),
  ban(
    "FunctionDeclaration > Identifier.params[typeAnnotation.typeAnnotation.type='TSBooleanKeyword']",
    'A call with a bare true says nothing: two functions, or a named option.',
  ),
];

const outgoing = {
  globals: ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource'].map((name) => ({
    name,
    message: 'Calls go out through src/http, which checks addresses and limits: take it from the Context.',
  })),
  paths: [
    ...['axios', 'node-fetch', 'undici', 'got'].map((name) => ({
      name,
      allowTypeImports: true,
      message: 'Calls go out through src/http, which checks addresses and limits: take it from the Context.',
    })),
    ...['node:http', 'node:https', 'http', 'https'].map((name) => ({
      name,
      importNames: ['default', 'request', 'get'],
      message: 'Import createServer and the like by name; calls go out through src/http.',
    })),
  ],
};

const noShell = ['node:child_process', 'child_process'].map((name) => ({
  name,
  importNames: ['default', 'exec', 'execSync'],
  message: 'These go through a shell: use spawn or execFile with an array.',
}));

export default defineConfig(
  { ignores: ['dist', 'dist.*', 'data', 'coverage', '**/fixtures/**', 'node_modules'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: ['**/*.{js,mjs,cjs,ts,tsx}'],
    rules: {
      complexity: ['error', 12],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-lines': ['error', 300],
      'no-constant-binary-expression': 'error',
      'no-dupe-keys': 'error',
      'no-implied-eval': 'error',
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-unsafe-finally': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': ['error', ...everywhere],
    },
  },
  { files: ['bin/tributary.cjs'], rules: { 'no-var': 'off' } },

  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // An interface may ask for a promise that this implementation has no need to wait for.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/use-unknown-in-catch-callback-variable': 'error',
    },
  },

  {
    files: ['console/**', 'widget/**'],
    rules: { 'no-restricted-syntax': ['error', ...product] },
  },

  {
    files: ['src/**'],
    rules: {
      'no-restricted-syntax': ['error', ...gateway],
      'no-restricted-globals': ['error', ...outgoing.globals],
      'no-restricted-properties': [
        'error',
        { object: 'globalThis', property: 'fetch', message: 'Calls go out through src/http.' },
      ],
      '@typescript-eslint/no-restricted-imports': ['error', { paths: [...outgoing.paths, ...noShell] }],
    },
  },
  {
    files: ['src/http/**'],
    rules: {
      // The built-in fetch stays out even here: it decodes Brotli whatever it is asked.
      '@typescript-eslint/no-restricted-imports': ['error', { paths: noShell }],
    },
  },
  { files: ['src/core/clock.ts'], rules: { 'no-restricted-syntax': ['error', ...product] } },
  {
    files: ['src/connectors/*/**', 'src/dispatch/*/**'],
    rules: { 'max-lines': ['error', 250] },
  },

  {
    // Tests wait for real servers, read JSON of unknown shape and build wrong things on purpose.
    files: ['test/**', 'bench/**'],
    rules: {
      complexity: 'off',
      'max-lines': ['error', 500],
      'no-restricted-syntax': ['error', ...everywhere],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);

function ban(selector, message) {
  return { selector, message };
}
