import type { Context, Webhook } from '../../../core/connector.ts';
import { createBasic } from './basic.ts';
import type { Webhook as Config } from './config.ts';
import { createMailgun } from './mailgun.ts';
import { createSendGrid } from './sendgrid.ts';
import { createSns } from './sns.ts';

/** More than the largest mail that they take; with the whole mail beside its parts, Postmark may send more. */
const MOST_BYTES = 64 * 1024 * 1024;

/** How a provider pushes mail, and proves that it is he. Each of them repeats what isn't answered with 2xx. */
export function createHook(config: Config, context: Context): Webhook {
  const verifier = verifierOf(config, context);
  // What SNS publishes has at most 256 KB.
  return config.provider === 'ses' ? verifier : { ...verifier, maxBytes: MOST_BYTES };
}

function verifierOf(config: Config, context: Context): Pick<Webhook, 'verify'> {
  switch (config.provider) {
    case 'mailgun':
      return createMailgun(config, context);
    case 'sendgrid':
      return createSendGrid(config);
    case 'postmark':
      return createBasic(config);
    case 'ses':
      return createSns(config, context);
  }
}
