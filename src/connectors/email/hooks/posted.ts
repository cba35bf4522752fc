import type { Provider } from './config.ts';
import { mailFromMailgun } from './mailgun.ts';
import { mailFromPostmark } from './postmark.ts';
import { mailFromSendGrid } from './sendgrid.ts';
import { mailFromSes } from './ses.ts';

/** What says how the bytes of a webhook are read. */
export interface Posted {
  readonly provider: Provider;
  readonly contentType: string;
}

/** The bytes of the mail in what a provider posted, as a mail server would have delivered it. */
export async function mailIn(body: Buffer, { provider, contentType }: Posted): Promise<Buffer> {
  switch (provider) {
    case 'mailgun':
      return mailFromMailgun(body, contentType);
    case 'sendgrid':
      return mailFromSendGrid(body, contentType);
    case 'postmark':
      return mailFromPostmark(body);
    case 'ses':
      return mailFromSes(body);
  }
}
