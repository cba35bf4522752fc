import { BadPayloadError } from '../../core/errors.ts';

/** A file as it came. `id` is its place among the files of the request. */
export interface Upload {
  readonly id: string;
  readonly field: string;
  readonly name: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a post says, whatever it was written in. Values are trimmed, empty ones left out. */
export interface Entries {
  /** `form`: as a browser sends forms; `json`: as programs do. */
  readonly format: 'form' | 'json';
  readonly values: ReadonlyMap<string, string>;
  readonly files: readonly Upload[];
}

export interface Limits {
  readonly files: number;
  readonly fileBytes: number;
}

/** What is read before any of it is believed. */
export interface Draft {
  readonly values: readonly (readonly [name: string, value: string])[];
  readonly files: readonly Omit<Upload, 'id'>[];
}

export function badRequest(text: string): BadPayloadError {
  return new BadPayloadError(text, { status: 400 });
}

export function tooLarge(text: string): BadPayloadError {
  return new BadPayloadError(text, { status: 413 });
}
