import type { AlbumPart, MessageRow } from './rows.ts';

/** The statements about albums, and about answers: what went out of them, and what became of it. */
export interface PartStatements {
  /** The message that collects the parts of an album. */
  albumOf(endpointId: string, key: string): Promise<MessageRow | undefined>;
  /** Adds a part of an album, or replaces it. */
  saveAlbumPart(part: AlbumPart): Promise<void>;
  /** As they came; none where a message is no album. */
  albumParts(messageId: string): Promise<readonly AlbumPart[]>;
  /** The id the vendor gave to a part of an answer. */
  savePart(messageId: string, endpointId: string, externalId: string, at: number): Promise<void>;
  parts(messageId: string): Promise<readonly { externalId: string }[]>;
  /** The answer that a part belongs to. */
  messageOfPart(endpointId: string, externalId: string): Promise<MessageRow | undefined>;
  setDelivery(id: string, delivery: MessageRow['delivery']): Promise<void>;
  /** Marks the other answers of this one's thread that went out as replaced; their ids. */
  replaceAnswers(answer: Pick<MessageRow, 'id' | 'ticketId' | 'endpointId' | 'thread'>): Promise<readonly string[]>;
}
