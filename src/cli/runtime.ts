/** Releases of the Brotli library from which on its decoder is sound, by minor version. */
const FIXED: Readonly<Record<string, number>> = { '1.0': 10, '1.1': 1, '1.2': 1 };

/**
 * Warns about a Node whose built-in Brotli decoder is known to be vulnerable. We never decode Brotli;
 * the warning is for what else may run on the same Node.
 */
export function brotliWarning(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const least = FIXED[`${major}.${minor}`];
  if (least === undefined || patch >= least) return undefined;
  return `this Node brings Brotli ${version}, whose decoder is vulnerable (fixed in 1.0.10, 1.1.1 and 1.2.1); the gateway never uses it`;
}
