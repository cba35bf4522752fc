import type { Task, TaskRefRow } from './rows.ts';
import type { TaskState } from './ticket.ts';

/** The statements about what follows a message, or a status, that a destination was told of before. */
export interface FollowingStatements {
  /** Whether a ticket is in a destination, or would be if a person saw to it. */
  isIn(destinationId: string, ticketId: string): Promise<boolean>;
  /** What a ticket is called in destinations that don't know the other one becomes that one's. */
  moveLinks(from: string, to: string): Promise<void>;
  /** Puts what waits for a file at the end of its wait into the line of a ticket. */
  releaseFile(attachmentId: string, ticketId: string, now: number): Promise<readonly TaskRefRow[]>;
  /** What carries a message on, and waits for nothing but its files, is due. */
  wakeDeliveries(ticketId: string, messageId: string, now: number): Promise<readonly TaskRefRow[]>;
  /** Whether a file is still to follow its message to a destination. */
  isToFollow(attachmentId: string, destinationId: string): Promise<boolean>;
  /** How the deliveries of a message itself stand, whichever ticket it was in when they began. */
  deliveriesOf(
    messageId: string,
  ): Promise<readonly { readonly endpointId: string; readonly state: TaskState; readonly uncertain: number }[]>;
  /** Whether a change of a message after this one is on its way to a destination, or there. */
  hasLaterNews(news: Pick<Task, 'messageId' | 'endpointId' | 'changeSeq'>): Promise<boolean>;
  /** Whether a status was written to a ticket in a destination since a time, or is on its way there. */
  wroteStatus(ticketId: string, destinationId: string, since: number): Promise<boolean>;
  /** Whether a status that a ticket got after this one was told to a destination. */
  toldLaterStatus(status: Pick<Task, 'ticketId' | 'endpointId' | 'changeSeq'>): Promise<boolean>;
}
