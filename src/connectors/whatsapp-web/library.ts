import type { EventEmitter } from 'node:events';

/**
 * What we use of whatsapp-web.js (https://docs.wwebjs.dev): said here, since it is optional and may not be installed.
 * Everything runs in the page, and may reject, with anything, or never settle.
 */
export interface Library {
  readonly Client: new (options: object) => Client;
  readonly LocalAuth: new (options: { readonly dataPath: string }) => Auth;
  readonly MessageMedia: new (mimetype: string, base64: string, name: string, size: number) => object;
}

/** Keeps the session in `<dataPath>/session`, a profile of Chromium. */
interface Auth {
  /** Awaited once Chromium runs, before it loads a page. */
  afterBrowserInitialized(): Promise<void>;
}

interface Wid {
  readonly _serialized: string;
}

export interface Client extends EventEmitter {
  readonly info?: { readonly wid?: Wid };
  readonly pupBrowser: (EventEmitter & { process(): { readonly pid?: number } | null }) | null;
  readonly pupPage: EventEmitter | null;
  initialize(): Promise<void>;
  destroy(): Promise<void>;
  getState(): Promise<string | null>;
  getChats(): Promise<readonly Chat[]>;
  getChatById(id: string): Promise<Chat | undefined>;
  getContactById(id: string): Promise<Contact>;
  getMessageById(id: string): Promise<Message | null>;
  sendMessage(chat: string, content: string | object, options: object): Promise<Message | undefined>;
}

export interface Chat {
  readonly id: Wid;
  readonly name?: string;
  readonly isGroup?: boolean;
  /** Seconds since the epoch: when something was last said. */
  readonly timestamp?: number;
  fetchMessages(options: { readonly limit: number; readonly fromMe?: boolean }): Promise<readonly Message[]>;
}

interface Contact {
  /** The number, also of somebody who was asked for by his `@lid`, where WhatsApp Web knows it. */
  readonly id?: Wid;
  readonly name?: string;
  readonly pushname?: string;
}

export interface Message {
  readonly id: {
    readonly id: string;
    readonly _serialized: string;
    readonly fromMe: boolean;
    readonly remote: unknown;
  };
  readonly body?: string;
  readonly timestamp?: number;
  readonly hasMedia?: boolean;
  readonly isStatus?: boolean;
  readonly _data?: { readonly size?: number; readonly filename?: string };
  downloadMedia(): Promise<{ readonly data: string } | null | undefined>;
}
