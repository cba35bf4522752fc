import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Http } from '../../core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError, UncertainError } from '../../core/errors.ts';
import type { Access } from './access.ts';
import { failureOf } from './failures.ts';

/** Where a chat is answered whose address nobody told: any region passes it on. */
const ANY_REGION = 'https://smba.trafficmanager.net/teams';
/** Only these: below trafficmanager.net everybody can register a name. */
const SERVICE_HOSTS: readonly string[] = [
  'smba.trafficmanager.net',
  'smba.onyx.prod.teams.trafficmanager.net',
  'smba.infra.gcc.teams.microsoft.com',
];
/** Files that people send lie in their OneDrive. */
const FILE_HOST = '.sharepoint.com';

const MAX_FILE = 100 * 1024 * 1024;
/** A large file over a slow line. */
const FILE_MS = 10 * 60_000;

/** The Bot Framework's REST API. Throws the five errors, in Microsoft's words. */
export interface TeamsApi {
  /** The id of what was sent, if Microsoft says it. `serviceUrl` is where the chat's last message came from. */
  send(chat: string, serviceUrl: string | undefined, activity: object): Promise<string | undefined>;
  download(url: string): Promise<Readable>;
}

const Sent = z.object({ id: z.string().min(1) });

export function createApi(deps: {
  readonly access: Access;
  /** Of a stand-in, without a slash at the end. */
  readonly apiRoot: string | undefined;
  readonly http: Http;
}): TeamsApi {
  const { access, apiRoot, http } = deps;

  /** Once more with a new token, where this one was refused before its time. */
  async function withToken<T>(call: (headers: { authorization: string }) => Promise<T>): Promise<T> {
    const token = await access.token();
    try {
      return await call({ authorization: `Bearer ${token}` });
    } catch (error) {
      if (!(error instanceof AuthExpiredError)) throw failureOf(error);
      access.forget(token);
    }
    const authorization = `Bearer ${await access.token()}`;
    return call({ authorization }).catch((error: unknown) => {
      throw failureOf(error);
    });
  }

  /** The token goes nowhere else: whoever has it can speak as the bot. */
  function isService({ protocol, host, origin }: URL): boolean {
    if (apiRoot !== undefined) return origin === new URL(apiRoot).origin;
    return protocol === 'https:' && SERVICE_HOSTS.includes(host);
  }

  function rootOf(serviceUrl = ANY_REGION): string {
    if (apiRoot !== undefined) return apiRoot;
    const url = URL.canParse(serviceUrl) ? new URL(serviceUrl) : undefined;
    if (!url || !isService(url)) {
      throw new PermanentError(`the chat is at ${url?.origin ?? 'no address'}, which is no service of Teams`, {
        hint: 'Sovereign clouds other than GCC are not supported: answer through another channel.',
      });
    }
    const { origin, pathname } = url;
    return origin + (pathname.endsWith('/') ? pathname.slice(0, -1) : pathname);
  }

  return {
    async send(chat, serviceUrl, activity) {
      const url = `${rootOf(serviceUrl)}/v3/conversations/${encodeURIComponent(chat)}/activities`;
      try {
        const { json } = await withToken((headers) => http.send({ method: 'POST', url, headers, body: activity }));
        return Sent.safeParse(json).data?.id;
      } catch (error) {
        if (!(error instanceof RetryableError) || !error.outcomeUnknown) throw error;
        throw new UncertainError(`${error.message}; Teams may show it all the same`, {
          cause: error,
          hint: 'Ask the customer: if it is not there, replay the delivery.',
        });
      }
    },

    async download(address) {
      const url = new URL(address);
      const file = { url: address, maxBytes: MAX_FILE, timeoutMs: FILE_MS };
      if (isService(url)) return (await withToken((headers) => http.stream({ ...file, headers }))).body;
      if (url.protocol === 'https:' && url.host.endsWith(FILE_HOST)) return fetchFile(http, file);
      throw new PermanentError(`the file is at ${url.origin}, which is no host that bots get files from`);
    },
  };
}

/** The address holds its own leave, for some minutes: what is refused there says nothing about the bot. */
async function fetchFile(http: Http, file: Parameters<Http['stream']>[0]): Promise<Readable> {
  try {
    return (await http.stream(file)).body;
  } catch (error) {
    if (!(error instanceof AuthExpiredError || error instanceof PermanentError) || !error.response) throw error;
    const hint = 'Microsoft gives leave for some minutes only: ask the customer to send it again.';
    throw new PermanentError(error.message, { response: error.response, hint });
  }
}
