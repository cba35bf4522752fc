import { z } from 'zod';
import { rootAddress } from '../../core/root-address.ts';
import { secret } from '../../core/secret.ts';

/** Where accounts live unless they were made for another region. */
export const TWILIO = 'https://api.twilio.com';

/** Settings that all of Twilio's channels have. */
export const account = {
  accountSid: z
    .string()
    .regex(/^AC[0-9a-fA-F]{32}$/, 'is not an Account SID: it begins with AC and has 34 characters')
    .meta({ description: 'Account SID, from the first page of the Twilio Console' }),
  authToken: secret('Auth Token of the same account: it signs what Twilio sends'),
};

export const apiRoot = rootAddress
  .default(TWILIO)
  .meta({ description: `Address of the API, for accounts of another region; ${TWILIO} when left out` });
