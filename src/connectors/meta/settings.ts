import { z } from 'zod';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';

/** The id of an account, as a setting. */
export const accountId = (description: string) =>
  z
    .string({ error: 'is a number in quotes: it has more digits than YAML keeps' })
    .regex(/^\d{1,32}$/, { error: 'has other characters than digits' })
    .meta({ description });

/** Settings that all of Meta's accounts have. */
export const common = {
  appSecret: secret('From the app’s page Settings, Basic: Meta signs with it'),
  verifyToken: secret('Any words: the same as where the address is entered at Meta'),
  humanAgent: z.boolean().default(false).meta({
    description: 'Meta has given the app the feature Human Agent: agents may answer for 7 days instead of 24 hours',
  }),
  apiVersion: z
    .string()
    .regex(/^v\d{1,3}\.\d$/)
    .default('v25.0')
    .meta({ description: 'Version of the Graph API' }),
  apiRoot: rootAddress.optional().meta({ description: 'Address of a stand-in or proxy, instead of Meta’s' }),
};
