import { z } from 'zod';
import { Snowflake } from './snowflake.ts';

/** What it takes to go on where a connection ended: Discord keeps it for some minutes, also while we are restarted. */
export interface Session {
  readonly id: string;
  /** Where to go on. */
  readonly url: string;
  /** The last event that was taken care of. */
  readonly seq: number;
  /** The user that we are. */
  readonly self: string;
}

const Session = z.object({
  id: z.string().min(1).max(500),
  url: z.string().max(1000),
  seq: z.number().int().min(0),
  self: Snowflake,
});

const Ready = z.object({
  session_id: Session.shape.id,
  resume_gateway_url: Session.shape.url,
  user: z.object({ id: Snowflake }),
});

/** The session that Discord has begun. */
export function sessionOf(ready: unknown, seq: number): Session {
  const { session_id: id, resume_gateway_url: url, user } = Ready.parse(ready);
  return { id, url, seq, self: user.id };
}

/** As it is kept between two connections. */
export function cursorOf(session: Session): string {
  return JSON.stringify(session);
}

/** Without one, or with one of another version, a session is begun anew. */
export function readCursor(cursor: string | undefined): Session | undefined {
  try {
    return Session.parse(JSON.parse(cursor ?? ''));
  } catch {
    return undefined;
  }
}
