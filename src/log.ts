import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log } from './core/connector.ts';
import type { LogLevel } from './config.ts';

/** Longest string in a log line: what customers write doesn't belong there at length. */
const LONGEST = 2048;

/**
 * One line per event: JSON, or readable text on a terminal. Secrets print as `[secret]` by themselves;
 * control characters are escaped, long strings cut.
 */
export function createLog(options: { readonly level: LogLevel; readonly format: 'auto' | 'pretty' | 'json' }): Log {
  const readable = options.format === 'pretty' || (options.format === 'auto' && process.stdout.isTTY);
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: shorten },
  };
  return readable
    ? pino(settings, pretty({ ignore: 'pid,hostname', sync: true }))
    : pino({ ...settings, messageKey: 'text' }, pino.destination({ dest: 1, sync: true }));
}

function shorten(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (value instanceof Error) return [name, { name: value.name, message: value.message.slice(0, LONGEST) }];
      return [name, typeof value === 'string' && value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value];
    }),
  );
}
