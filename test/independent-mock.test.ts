import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDescribed } from './fakes/openapi.ts';
import type { Asked, Recorded } from './fakes/openapi.ts';
import { openPrism } from './fakes/prism.ts';
import type { Prism } from './fakes/prism.ts';
import { skipUnless } from './skip.ts';

const ROOT = join(import.meta.dirname, '..');

/** What Prism refuses and the vendor takes: a pattern of the request and the violation, and why it is so. */
type Gap = readonly [pattern: RegExp, why: string];

interface Sender {
  /** Below `../shared/specs`. */
  readonly description: string;
  /** The tests that make the connector send all that it can. */
  readonly tests: readonly string[];
  readonly gaps: readonly Gap[];
  /** A field of the body of a request, and what it is corrupted to; nothing: left out. */
  readonly corrupt: { readonly path: RegExp; readonly field: string; readonly to?: unknown };
}

/**
 * The vendors who describe what we call by OpenAPI or Swagger. VK and Telegram don't: VK has a schema of its own, and
 * Telegram's is the methods of its page as JSON Schema, so only our closed-world checks read those. The others publish
 * nothing that a machine can read.
 */
const SENDERS: Readonly<Record<string, Sender>> = {
  LINE: {
    description: 'line/messaging-api.json',
    tests: ['line'],
    gaps: [],
    corrupt: { path: /\/message\/push$/, field: 'to', to: 5 },
  },
  Twilio: {
    description: 'twilio/api_v2010.json',
    tests: ['twilio-calls', 'twilio-files'],
    gaps: [],
    corrupt: { path: /\/Messages\.json$/, field: 'To' },
  },
  WhatsApp: {
    description: 'whatsapp/business-messaging-v23.json',
    tests: ['whatsapp-cloud-calls'],
    gaps: [
      [/POST \S+\/messages \{.*"recipient":"US\./, 'people without a number came after the description'],
      [
        /POST \S+\/messages \{.*"type":"template"/,
        'it contradicts its own examples of templates (AMENDED in whatsapp.ts)',
      ],
      [
        /GET \S+ .*path\.pre-verified-phone-number-id/,
        'it has media below the path of phone numbers, which are digits only',
      ],
    ],
    corrupt: { path: /\/messages$/, field: 'to' },
  },
  Slack: {
    description: 'slack/web-api.json',
    tests: ['slack'],
    gaps: [
      [/must have required property 'token'$/, 'of 2021: since then the token goes into Authorization'],
      [
        / \/(files\.(getUploadURLExternal|completeUploadExternal)|apps\.connections\.open)\b.* .*hasn't been found/,
        'methods that came after it was archived in 2021',
      ],
    ],
    corrupt: { path: /\/chat\.postMessage$/, field: 'channel' },
  },
  'App Store': {
    description: 'appstore/customer-reviews.json',
    tests: ['app-store'],
    gaps: [],
    corrupt: { path: /customerReviewResponses$/, field: 'data', to: 5 },
  },
  'Google Play': {
    description: 'googleplay/androidpublisher-reviews.json',
    tests: ['google-play'],
    gaps: [],
    corrupt: { path: /:reply$/, field: 'replyText', to: 5 },
  },
  Wildberries: {
    description: 'wildberries/communications.json',
    tests: ['wildberries'],
    gaps: [[/"file":.* body\.file: .*must be array/, 'Prism takes one file of a form for no list of one']],
    corrupt: { path: /\/feedbacks\/answer$/, field: 'id', to: 5 },
  },
  Discord: {
    description: 'discord/api-v10.json',
    tests: ['discord'],
    gaps: [
      [/GET \/applications\/@me .*hasn't been found/, 'left out of the part of the description that is kept'],
      [/"files\[0\]":/, 'the fields stand as JSON in one part of the form (payload_json), which Prism takes as text'],
    ],
    corrupt: { path: /\/messages$/, field: 'content', to: 5 },
  },
  'HubSpot (tickets)': {
    description: 'hubspot/tickets-v3.json',
    tests: ['hubspot'],
    gaps: [],
    corrupt: { path: /\/objects\/tickets$/, field: 'properties', to: 5 },
  },
  'HubSpot (notes)': {
    description: 'hubspot/notes-v3.json',
    tests: ['hubspot'],
    gaps: [],
    corrupt: { path: /\/objects\/notes$/, field: 'associations', to: 5 },
  },
  'HubSpot (contacts)': {
    description: 'hubspot/contacts-v3.json',
    tests: ['hubspot'],
    gaps: [],
    corrupt: { path: /\/objects\/contacts$/, field: 'properties', to: 5 },
  },
  'HubSpot (associations)': {
    description: 'hubspot/associations-v4.json',
    tests: ['hubspot'],
    gaps: [],
    corrupt: { path: /\/batch\/read$/, field: 'inputs', to: 5 },
  },
  Freshdesk: {
    description: 'freshdesk/api-evangelist-generated.json',
    tests: ['freshdesk'],
    gaps: [[/GET \/agents\//, 'left out of the part of the description that is kept']],
    corrupt: { path: /\/tickets$/, field: 'priority', to: 'high' },
  },
  Chatwoot: {
    description: 'chatwoot/swagger.json',
    tests: ['chatwoot', 'chatwoot-way-back'],
    gaps: [[/POST \S+\/messages .*"attachments\[\]"/, 'files go as a form, which it leaves out']],
    corrupt: { path: /\/contacts$/, field: 'inbox_id', to: 'seven' },
  },
  'Jira (platform)': {
    description: 'jira/platform-v3.json',
    tests: ['jira-service-management'],
    gaps: [[/\/attachments .*body/, 'it describes the parts of an upload as a bare list, which no form can be']],
    corrupt: { path: /\/search\/jql$/, field: 'jql', to: 5 },
  },
  'Jira (service desks)': {
    description: 'jira-service-management/servicedesk.json',
    tests: ['jira-service-management'],
    gaps: [],
    corrupt: { path: /\/request$/, field: 'serviceDeskId', to: 5 },
  },
  'Pipedrive (version 1)': {
    description: 'pipedrive/v1.json',
    tests: ['pipedrive', 'pipedrive-way-back'],
    gaps: [],
    corrupt: { path: /^\/notes$/, field: 'content', to: 5 },
  },
  'Pipedrive (version 2)': {
    description: 'pipedrive/v2.json',
    tests: ['pipedrive', 'pipedrive-way-back'],
    gaps: [],
    corrupt: { path: /^\/deals$/, field: 'title', to: 5 },
  },
  Zendesk: {
    description: 'zendesk/support-api.json',
    tests: ['zendesk'],
    gaps: [
      [/POST \S+\/tickets .*"custom_fields".*custom_fields/, 'it has the definition of a field where its value goes'],
    ],
    corrupt: { path: /\/api\/v2\/tickets$/, field: 'ticket', to: 5 },
  },
};

describe('What we send, read by Prism with the vendors’ own descriptions', function () {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-requests-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The requests that a connector's tests make. */
  function requestsOf({ tests, description }: Sender): readonly Recorded[] {
    const file = join(folder, `${tests[0]}.jsonl`);
    const mocha = join(ROOT, 'node_modules/mocha/bin/mocha.js');
    const files = tests.map((name) => join(ROOT, `test/${name}.test.ts`));
    const run = spawnSync(process.execPath, [mocha, '--import=tsx', ...files], {
      cwd: ROOT,
      env: { ...process.env, RECORD_REQUESTS: file },
      encoding: 'utf8',
    });
    assert.equal(run.status, 0, run.stdout + run.stderr);
    assert.ok(existsSync(file), 'its tests check no request');
    const all = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Recorded);
    return all.filter((one) => one.description === description);
  }

  for (const [vendor, sender] of Object.entries(SENDERS)) {
    describe(vendor, () => {
      let prism: Prism;
      /** What our own check lets through: tests also make mistakes on purpose. */
      let sent: readonly Asked[];
      before(async function () {
        skipUnless(this, isDescribed(sender.description), `${vendor}'s description is not beside the repository`);
        const recorded = requestsOf(sender);
        sent = recorded.filter(({ problems }) => problems.length === 0).map(({ asked }) => asked);
        prism = await openPrism(
          sender.description,
          recorded.map(({ asked }) => asked.path),
        );
      });

      it('takes every request, but for what is known', async () => {
        assert.ok(sent.length >= 20, `only ${sent.length} requests were made`);
        const used = new Set<Gap>();
        const refused: string[] = [];
        for (const asked of sent) {
          const what = `${asked.method} ${asked.path} ${JSON.stringify(asked.body ?? null)}`;
          for (const violation of await prism(asked)) {
            const gap = sender.gaps.find(([pattern]) => pattern.test(`${what} ${violation}`));
            if (gap) used.add(gap);
            else refused.push(`${what}\n  ${violation}`);
          }
        }
        assert.deepEqual(refused, []);
        const idle = sender.gaps.filter((gap) => !used.has(gap)).map(([, why]) => why);
        assert.deepEqual(idle, [], 'known, and no longer so');
      });

      it('refuses one with a field corrupted', async () => {
        const { path, field, to } = sender.corrupt;
        const asked = sent.find(
          (one) => path.test(one.path) && Object.hasOwn((one.body as object | undefined) ?? {}, field),
        );
        assert.ok(asked, `no request has ${field}`);
        const before = await prism(asked);
        const after = await prism({ ...asked, body: { ...(asked.body as object), [field]: to } });
        const more = after.filter((violation) => !before.includes(violation));
        assert.ok(
          more.some((violation) => violation.includes(field)),
          more.join('\n') || 'it was taken',
        );
      });
    });
  }
});
