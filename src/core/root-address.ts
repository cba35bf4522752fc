import { z } from 'zod';

/** Where an API begins, without a slash at the end: what is asked for there begins with one. */
export const rootAddress = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .transform((url) => url.replace(/\/$/, ''));
