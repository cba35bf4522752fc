import { z } from 'zod';
import { PermanentError, RateLimitedError, RetryableError, TributaryError } from '../../core/errors.ts';
import type { FarAnswer } from '../../core/errors.ts';
import { jsonOf } from '../../core/json.ts';

/**
 * What Salesforce says in its errors: a list of codes in words, with a status that tells little.
 * https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
 */

const SECOND_MS = 1000;
/** Calls are counted over the last 24 hours, so that some are free again after a while. */
const DAILY_PAUSE_MS = 15 * 60 * SECOND_MS;
const BUSY_PAUSE_MS = 10 * SECOND_MS;

/** Somebody else is writing the same record, or it took too long: it was undone, and may be tried again. */
const PASSING: ReadonlySet<string> = new Set(['UNABLE_TO_LOCK_ROW', 'QUERY_TIMEOUT', 'SERVER_UNAVAILABLE']);

const HINTS: ReadonlyMap<string, string> = new Map([
  ['DUPLICATES_DETECTED', 'A duplicate rule blocks it: let it alert instead, or exempt the user of the gateway.'],
  ['DUPLICATE_VALUE', 'Another record has a value that must be unique: compare it with `idField`.'],
  [
    'FIELD_CUSTOM_VALIDATION_EXCEPTION',
    'A validation rule refuses it: map what it wants in `fields`, or exempt the user.',
  ],
  ['REQUIRED_FIELD_MISSING', 'Map the field in `fields`, or make it optional.'],
  [
    'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
    'Correct `statuses`, `priorities` or `fields`: the list has no such value.',
  ],
  ['INVALID_FIELD', 'The field is missing, or the user of the gateway may not see it: give it in a permission set.'],
  ['NOT_FOUND', 'It was deleted, or `idField` is no external ID that the user of the gateway may see.'],
  ['ENTITY_IS_DELETED', 'The case was deleted or merged into another one.'],
  ['INVALID_CROSS_REFERENCE_KEY', 'The case was deleted or merged, or a mapped id leads nowhere.'],
  ['STORAGE_LIMIT_EXCEEDED', 'The organisation is full: make room, then replay.'],
]);
const OTHERWISE = 'Read its answer, correct what it names, then replay.';

const Said = z
  .array(
    z.object({
      errorCode: z.string().max(200),
      message: z.string().default(''),
      fields: z.array(z.string()).nullish(),
    }),
  )
  .min(1);

/** What an answer with these errors means; undefined: there are none in it. */
export function errorIn(errors: unknown, response: FarAnswer, cause?: unknown): TributaryError | undefined {
  const first = Said.safeParse(errors).data?.[0];
  if (!first) return undefined;
  const { errorCode: code, message, fields } = first;
  const text = `Salesforce says ${code}: ${message.slice(0, 500)}${fields?.length ? ` (${fields.join(', ')})` : ''}`;
  const details = { response, ...(cause !== undefined && { cause }) };
  if (code === 'REQUEST_LIMIT_EXCEEDED') {
    const isDaily = message.startsWith('TotalRequests');
    return new RateLimitedError(text, isDaily ? DAILY_PAUSE_MS : BUSY_PAUSE_MS, details);
  }
  if (PASSING.has(code)) return new RetryableError(text, details);
  return new PermanentError(text, { ...details, hint: HINTS.get(code) ?? OTHERWISE });
}

/** In its own words, where it refused; whatever else went wrong stays what it is. */
export function explained(error: unknown): never {
  if (!(error instanceof TributaryError) || !error.response) throw error;
  const { status, text } = error.response;
  if (status === 300) {
    throw new PermanentError('several records have our id in Salesforce', {
      cause: error,
      hint: 'Make the field `idField` unique, and clear it in all but one of them.',
    });
  }
  if (!(error instanceof PermanentError) || error.gone) throw error;
  throw errorIn(jsonOf(Buffer.from(text)), error.response, error) ?? error;
}
