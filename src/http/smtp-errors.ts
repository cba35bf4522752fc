import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  type ErrorDetails,
} from '../core/errors.ts';
import { withoutPassword, type SmtpServer } from '../core/mail-server.ts';

/** What nodemailer adds to its errors. */
interface SmtpFailure extends Error {
  readonly code?: string;
  readonly originalCode?: string;
  /** What was being said when it failed: `CONN`, `AUTH PLAIN`, `MAIL FROM`, `RCPT TO`, `DATA`. */
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

/** How far a mail got. */
export interface Progress {
  /** Every byte was handed over: whatever happens now, the server may have taken it. */
  readonly handedOver: boolean;
}

/** Failures of SMTP in the words of the house; the table stands in docs/channels/email.md. */
export function toSendError(thrown: unknown, smtp: SmtpServer, progress: Progress): Error {
  if (thrown instanceof TributaryError) return thrown;
  const server = smtp.host;
  const failure = withoutCredentials((thrown ?? new Error('failed without a reason')) as SmtpFailure, smtp);
  const { responseCode: status } = failure;
  if (status === undefined) return withoutAnswer(failure, server, progress);
  const details = { response: { status, text: (failure.response ?? '').slice(0, 2048) } };
  const text = `${server} refused ${whatOf(failure)}: ${(failure.response ?? '').slice(0, 300)}`;
  if (asksForPause(failure, status)) return new RateLimitedError(text, undefined, details);
  if (failure.code === 'EAUTH' || LOGIN_NEEDED.includes(status)) return refusedLogin(text, status, details);
  return status < 500 ? new RetryableError(text, details) : refusedForGood(failure, text, status, details);
}

/** What a server says of a login may hold the login. */
function withoutCredentials(failure: SmtpFailure, smtp: SmtpServer): SmtpFailure {
  const { response } = failure;
  const message = withoutPassword(smtp, failure.message);
  return {
    ...failure,
    name: failure.name,
    message,
    ...(response !== undefined && { response: withoutPassword(smtp, response) }),
  };
}

/** What servers answer to whoever isn't signed in, or isn't any more. */
const LOGIN_NEEDED = [530, 534, 535, 538];

/** A 450 to the sender is about us, not about the recipient: the next mail would hear the same. */
function asksForPause({ command }: SmtpFailure, status: number): boolean {
  return status === 421 || (status === 450 && command === 'MAIL FROM');
}

function withoutAnswer(failure: SmtpFailure, server: string, { handedOver }: Progress): Error {
  const code = failure.originalCode ?? failure.code ?? '';
  if (failure.code === 'EMESSAGE') {
    return new PermanentError(`the answer is larger than ${server} takes: ${failure.message}`, {
      hint: SMALLER,
      response: { status: 552, text: failure.message },
    });
  }
  if (failure.code === 'EAUTH') return new AuthExpiredError(`${server}: ${failure.message}`, { hint: LOGIN });
  const hint = hintOf(code, failure);
  const unknown = handedOver ? '; whether it took the mail is unknown' : '';
  return new RetryableError(`${server}: ${failure.message}${code && ` (${code})`}${unknown}`, {
    ...(hint !== undefined && { hint }),
    outcomeUnknown: handedOver,
  });
}

function hintOf(code: string, failure: SmtpFailure): string | undefined {
  if (failure.command === 'STARTTLS') {
    return 'The server offers no STARTTLS: set smtp.secure: true and its port (465), or ask who runs it.';
  }
  if (failure.code === 'ETLS' || /CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^UNABLE_TO/.test(code)) {
    return 'Check its certificate; an authority of your own is named in smtp.tls.ca. Port 587 needs smtp.secure: false.';
  }
  if (code === 'ECONNREFUSED' || code === 'ETIMEDOUT') return 'Check smtp.host and smtp.port, and that it runs.';
  return undefined;
}

function refusedLogin(text: string, status: number, details: ErrorDetails): Error {
  return status < 500 ? new RetryableError(text, details) : new AuthExpiredError(text, { ...details, hint: LOGIN });
}

function refusedForGood(failure: SmtpFailure, text: string, status: number, details: ErrorDetails): Error {
  const { command = '', response = '' } = failure;
  // To a recipient, 552 means that his mailbox is full.
  const tooLarge = (status === 552 && command !== 'RCPT TO') || response.includes('5.3.4');
  if (tooLarge) return new PermanentError(text, { ...details, hint: SMALLER });
  if (command === 'RCPT TO') {
    return new PermanentError(text, { ...details, hint: 'Is the address right? Ask for one that takes mail.' });
  }
  if (command === 'MAIL FROM') {
    return new PermanentError(text, { ...details, hint: 'May this login send from that address?' });
  }
  if (command === 'DATA') return new PermanentError(text, details);
  // It didn't want to talk to us at all: that says nothing about this mail.
  const hint = hintOf('', failure);
  return new RetryableError(text, { ...details, ...(hint !== undefined && { hint }) });
}

function whatOf({ command = '' }: SmtpFailure): string {
  if (command.startsWith('AUTH')) return 'the login';
  if (command === 'MAIL FROM') return 'the sender';
  if (command === 'RCPT TO') return 'the recipient';
  if (command === 'STARTTLS') return 'STARTTLS';
  return command === 'DATA' ? 'the mail' : 'the connection';
}

const SMALLER = 'Send fewer or smaller files.';
const LOGIN = 'Check smtp.user and the password; many providers want an app password.';
