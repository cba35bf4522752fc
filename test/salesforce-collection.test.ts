import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { salesforce } from '../src/dispatch/salesforce/salesforce.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import { CLIENT_ID, CLIENT_SECRET, startSalesforce, USERNAME } from './fakes/salesforce.ts';
import type { FakeSalesforce } from './fakes/salesforce.ts';
import { skipUnless } from './skip.ts';

const COLLECTION = join(import.meta.dirname, '../../shared/specs/salesforce/Salesforce API.postman_collection.json');
const Request = z.object({
  method: z.string(),
  url: z.object({ raw: z.string() }),
  header: z.array(z.object({ key: z.string(), value: z.string() })),
  body: z
    .object({ raw: z.string().optional(), urlencoded: z.array(z.object({ key: z.string(), value: z.string() })) })
    .partial()
    .optional(),
});
const Named = z.object({ name: z.string(), request: z.unknown() });
const Collection = z.object({ item: z.array(z.object({ item: z.array(Named).default([]) })) });
type Called = FakeSalesforce['calls'][number];

/** Salesforce's own calls by name, and what of ours is not of their form. It is of 2020, and has no cases. */
function readCollection() {
  const { item } = Collection.parse(JSON.parse(readFileSync(COLLECTION, 'utf8')));
  const all = item.flatMap((folder) => folder.item);
  const named = (wanted: string) => Request.parse(all.find(({ name }) => name === wanted)?.request);
  const [token, composite, create] = ['JWT Bearer Token Flow', 'Composite REST', 'REST Create'].map(named);

  /** Headers that theirs have, with the same values but for what is a variable there. */
  const headersOf = ({ header }: z.output<typeof Request>, { headers }: Called) =>
    header.flatMap(({ key, value }) => {
      const given = headers[key.toLowerCase()];
      return typeof given === 'string' && given.startsWith(value.split('{{')[0]!) ? [] : [key];
    });
  const pathOf = ({ url: { raw } }: z.output<typeof Request>, last: string) =>
    raw
      .replace(/^\{\{(url|endpoint)\}\}(\{\{site\}\})?/, '')
      .replace('{{version}}', '62.0')
      .replace(/\/\w*$/, last);

  return {
    token(call: Called): string[] {
      const form = new URLSearchParams(String(call.body));
      const wrong = (token!.body?.urlencoded ?? []).filter(({ key, value }) =>
        value === '' ? !form.get(key) : form.get(key) !== value,
      );
      const path = call.url === pathOf(token!, '/token') ? [] : [call.url];
      return [...path, ...headersOf(token!, call), ...wrong.map(({ key }) => key)];
    },
    create(call: Called, object: string): string[] {
      return [...(call.url === pathOf(create!, `/${object}`) ? [] : [call.url]), ...headersOf(create!, call)];
    },
    composite(call: Called): string[] {
      const parts = (call.body as { compositeRequest?: Record<string, unknown>[] }).compositeRequest ?? [];
      const keys = ['method', 'url', 'referenceId'].filter((key) => composite!.body?.raw?.includes(`"${key}"`));
      const missing = keys.filter((key) => !parts.every((part) => typeof part[key] === 'string'));
      const none = parts.length === 0 || keys.length < 3 ? ['compositeRequest'] : [];
      const path = call.url === pathOf(composite!, '') ? [] : [call.url];
      return [...path, ...none, ...missing, ...headersOf(composite!, call)];
    },
  };
}

describe('What Salesforce is asked', () => {
  let far: FakeSalesforce;
  let desk: DestinationDesk;
  beforeEach(async () => {
    far = await startSalesforce();
    const settings = { apiRoot: far.root, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET };
    desk = await openDestinationDesk(salesforce, 'salesforce', settings);
    far.now = () => desk.out.clock.now();
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  it('has the form of the calls in its own collection, and what has not is found', async function () {
    skipUnless(this, existsSync(COLLECTION), 'the collection of Salesforce is not beside the repository');
    const wrong = readCollection();
    desk.out.addChannel('chat', { download: async () => Readable.from(['bytes']) });
    await desk.write('one', undefined, { attachments: [{ id: 'a', name: 'a.txt', mediaType: 'text/plain' }] });
    await desk.out.until(() => far.rows('Case').length > 0);
    await desk.write('two');
    await desk.out.until(() => far.rows('CaseComment').length > 0);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await desk.open({ clientSecret: undefined, username: USERNAME, privateKey: pem }).test!();
    const last = (name: string) => far.calls.findLast((each) => each.name === name)!;
    const [token, comment, composite] = ['POST token', 'POST CaseComment', 'POST composite'].map(last);
    assert.deepEqual(wrong.token(token!), []);
    assert.deepEqual(wrong.create(comment!, 'CaseComment'), []);
    assert.deepEqual(wrong.composite(composite!), []);

    assert.notDeepEqual(wrong.token({ ...token!, body: 'grant_type=client_credentials&assertion=x' }), []);
    assert.notDeepEqual(wrong.create({ ...comment!, headers: {} }, 'CaseComment'), []);
    assert.notDeepEqual(wrong.create({ ...comment!, url: '/services/data/v62.0/CaseComment' }, 'CaseComment'), []);
    assert.notDeepEqual(wrong.composite({ ...composite!, body: { compositeRequest: [{ method: 'POST' }] } }), []);
    assert.notDeepEqual(wrong.composite({ ...composite!, body: {} }), []);
  });
});
