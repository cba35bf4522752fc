import assert from 'node:assert/strict';
import { startApi } from './fakes/api.ts';
import type { StartedApi } from './fakes/api.ts';
import { sampleCustomer, sampleMessage, sampleTicket, saveBlob } from './fakes/gateway.ts';

describe('The API', () => {
  let api: StartedApi;
  beforeEach(async () => {
    api = await startApi();
    api.gateway.state.tickets.set('tkt_1', sampleTicket());
    api.gateway.state.messages.set('msg_1', sampleMessage());
    api.gateway.state.customers.set('cus_1', sampleCustomer());
  });
  afterEach(() => api.stop());

  describe('tickets', () => {
    it('lists them with filters', async () => {
      api.gateway.state.tickets.set('tkt_2', sampleTicket({ id: 'tkt_2', status: 'closed' }));
      const { json } = await api.call('GET', '/tickets?status=new,open&limit=10');
      assert.deepEqual(
        json.data.map(({ id }: { id: string }) => id),
        ['tkt_1'],
      );
      assert.equal(json.nextCursor, null);
    });

    it('shows one by id and by number, with the channels that an answer may take', async () => {
      const byId = await api.call('GET', '/tickets/tkt_1');
      const byNumber = await api.call('GET', '/tickets/by-number/1');
      assert.deepEqual(byId.json, byNumber.json);
      assert.equal(byId.headers.etag, '"1"');
      assert.deepEqual(byId.json.replyChannels, [
        {
          channel: 'contact',
          type: 'form',
          allowed: true,
          reason: null,
          until: '2026-11-22T10:00:01.000Z',
          public: false,
          longest: null,
          replaces: false,
          templates: [],
        },
      ]);
    });

    it('answers 404 for what does not exist, in every place where an id may stand', async () => {
      const wrong: [string, string, unknown?][] = [
        ['GET', '/tickets/tkt_9'],
        ['GET', '/tickets/by-number/99'],
        ['GET', '/tickets/tkt_9/messages'],
        ['PATCH', '/tickets/tkt_9', { status: 'open' }],
        ['POST', '/tickets/tkt_9/replies', { text: 'x' }],
        ['POST', '/tickets/tkt_9/notes', { text: 'x' }],
        ['POST', '/tickets/tkt_1/merge', { into: 'tkt_9' }],
        ['POST', '/tickets', { text: 'x', customer: { id: 'cus_9' } }],
        ['GET', '/customers/cus_9'],
        ['GET', '/customers/cus_9/timeline'],
        ['POST', '/customers/cus_1/merge', { from: 'cus_9' }],
        ['POST', '/merges/mrg_9/undo'],
        ['GET', '/events/evt_9'],
        ['POST', '/events/evt_9/replay'],
        ['GET', '/deliveries/tsk_9'],
        ['POST', '/deliveries/tsk_9/replay'],
        ['GET', '/attachments/att_9'],
        ['GET', '/channels/nothing'],
        ['GET', '/channels/crm'],
        ['GET', '/destinations/contact/health'],
        ['POST', '/channels/crm/dry-run', {}],
        ['POST', '/destinations/crm/dry-run', { ticketId: 'tkt_9' }],
        ['GET', '/routes/rte_9'],
        ['DELETE', '/keys/key_9'],
      ];
      for (const [method, path, body] of wrong) {
        const { status, json } = await api.call(method, path, body === undefined ? {} : { body });
        assert.equal(status, 404, `${method} ${path}`);
        assert.equal(json.code, 'not_found');
      }
    });

    it('opens, changes, answers, notes, merges and splits them', async () => {
      const ticket = { text: 'Call her back', customer: { id: 'cus_1' } };
      const sent = await api.call('POST', '/tickets', { body: { ...ticket, channel: 'contact' } });
      assert.equal(sent.status, 400, 'nothing is sent, so there is no channel to name');
      const made = await api.call('POST', '/tickets', { body: ticket });
      assert.equal(made.json.subject, 'Call her back');
      const changed = await api.call('PATCH', '/tickets/tkt_1', { body: { status: 'open', tags: ['vip'] } });
      assert.deepEqual([changed.json.status, changed.json.tags, changed.json.version], ['open', ['vip'], 2]);
      const reply = await api.call('POST', '/tickets/tkt_1/replies', { body: { text: 'On its way' } });
      assert.deepEqual([reply.json.text, reply.json.direction], ['On its way', 'outbound']);
      const note = await api.call('POST', '/tickets/tkt_1/notes', { body: { text: 'Paid twice' } });
      assert.equal(note.json.kind, 'note');
      const merged = await api.call('POST', `/tickets/${made.json.id}/merge`, { body: { into: 'tkt_1' } });
      assert.equal(merged.json.id, 'tkt_1');
      const split = await api.call('POST', '/tickets/tkt_1/split', { body: { messages: ['msg_1'] } });
      assert.notEqual(split.json.id, 'tkt_1');
    });

    it('refuses a change of somebody who has not seen the latest version', async () => {
      const { etag } = (await api.call('GET', '/tickets/tkt_1')).headers;
      const headers = { 'if-match': etag! };
      assert.equal((await api.call('PATCH', '/tickets/tkt_1', { body: { status: 'open' }, headers })).status, 200);
      const late = await api.call('PATCH', '/tickets/tkt_1', { body: { status: 'closed' }, headers });
      assert.deepEqual([late.status, late.json.code], [412, 'version_mismatch']);
      assert.equal(api.gateway.state.tickets.get('tkt_1')?.status, 'open');
    });

    it('tells a conflict of state from a late change', async () => {
      api.gateway.state.tickets.set('tkt_1', sampleTicket({ mergedInto: 'tkt_2' }));
      const reply = await api.call('PATCH', '/tickets/tkt_1', {
        body: { status: 'open' },
        headers: { 'if-match': '"1"' },
      });
      assert.deepEqual([reply.status, reply.json.code], [409, 'conflict']);
    });

    it('refuses an If-Match that is no ETag of ours', async () => {
      const reply = await api.call('PATCH', '/tickets/tkt_1', {
        body: { status: 'open' },
        headers: { 'if-match': 'W/"1"' },
      });
      assert.equal(reply.status, 400);
    });
  });

  describe('customers', () => {
    it('finds them by an identifier, also one whose kind has a colon', async () => {
      const byMail = await api.call('GET', '/customers?identifier=email:o@example.com');
      assert.equal(byMail.json.data.length, 1);
      const identifiers = [
        { kind: 'webhook:intake', value: 'u-7', trust: 'verified' as const, firstSeenAt: '2026-11-22T09:00:00.000Z' },
      ];
      api.gateway.state.customers.set('cus_2', sampleCustomer({ id: 'cus_2', identifiers }));
      const byHook = await api.call('GET', '/customers?identifier=webhook:intake:u-7');
      assert.equal(byHook.json.data[0].id, 'cus_2');
      assert.equal((await api.call('GET', '/customers?identifier=nothing')).status, 400);
    });

    it('merges them, undoes it and splits them', async () => {
      api.gateway.state.customers.set('cus_2', sampleCustomer({ id: 'cus_2' }));
      const merged = await api.call('POST', '/customers/cus_1/merge', { body: { from: 'cus_2' } });
      assert.deepEqual([merged.json.mergeId, merged.json.customer.id], ['mrg_1', 'cus_1']);
      assert.equal((await api.call('POST', '/merges/mrg_1/undo')).status, 204);
      assert.equal((await api.call('GET', '/customers/cus_1/merges')).status, 200);
      const identifiers = [{ kind: 'email', value: 'o@example.com' }];
      const split = await api.call('POST', '/customers/cus_1/split', { body: { identifiers } });
      assert.notEqual(split.json.id, 'cus_1');
      const shown = await api.call('POST', '/customers/cus_1/split/dry-run', { body: { identifiers } });
      assert.deepEqual(shown.json, { identifiers: 0, tickets: 0, messages: 0, newest: [] });
      const apart = await api.call('POST', '/customers/cus_1/apart', { body: { from: split.json.id } });
      assert.deepEqual([apart.status, apart.json], [200, { mergeId: 'mrg_1' }]);
    });
  });

  describe('the ledger', () => {
    const event = {
      id: 'evt_1',
      endpoint: 'contact',
      outcome: 'ticket_created' as const,
      reason: null,
      externalId: 'm-1',
      ticketId: 'tkt_1',
      messageId: 'msg_1',
      payloadId: 'pay_1',
      item: 0,
      receivedAt: '2026-11-22T09:00:00.000Z',
      replayOf: null,
    };
    const payload = {
      id: 'pay_1',
      endpointId: 'contact',
      receivedAt: 0,
      method: 'POST',
      url: '/webhooks/contact?room=1&access_token=canary',
      headers: { 'x-signature': 'canary', authorization: 'canary', cookie: 'canary', 'x-hub': 'v' },
      body: Buffer.from('{"text":"Привіт"}'),
      hash: 'h',
      units: 1,
    };

    it('shows an event with what was received, without its secrets', async () => {
      api.gateway.state.events.set('evt_1', event);
      api.gateway.state.payloads.set('pay_1', payload);
      const { json, text } = await api.call('GET', '/events/evt_1');
      assert.equal(json.payload.body.content, '{"text":"Привіт"}');
      assert.equal(json.payload.url, '/webhooks/contact?room=1&access_token=[redacted]');
      assert.equal(json.payload.headers['x-hub'], 'v');
      assert.doesNotMatch(text, /canary/);
    });

    it('shows bytes that are no text as base64, from wherever they are kept', async () => {
      const bytes = Buffer.from([0xff, 0x00, 0x01]);
      const blob = saveBlob(api.gateway.state, bytes);
      api.gateway.state.events.set('evt_1', { ...event, payloadId: 'pay_2' });
      api.gateway.state.payloads.set('pay_1', { ...payload, body: undefined, blob });
      api.gateway.state.payloads.set('pay_2', { ...payload, id: 'pay_2', body: undefined, sameAs: 'pay_1' });
      const { json } = await api.call('GET', '/events/evt_1');
      assert.deepEqual(json.payload.body, { encoding: 'base64', content: '/wAB', size: 3, truncated: false });
      api.gateway.state.payloads.set('pay_2', { ...payload, id: 'pay_2', body: undefined });
      assert.equal((await api.call('GET', '/events/evt_1')).json.payload.body, null);
    });

    it('lists, balances and replays', async () => {
      api.gateway.state.events.set('evt_1', event);
      assert.equal(
        (await api.call('GET', '/events?outcome=ticket_created&since=2026-11-01T00:00:00%2B02:00')).status,
        200,
      );
      assert.equal((await api.call('GET', '/events/balance?from=2026-11-01T00:00:00Z')).json.received, 1);
      const replay = await api.call('POST', '/events/evt_1/replay');
      assert.equal(replay.json.items[0].outcome, 'appended');
    });
  });

  describe('deliveries', () => {
    it('shows them with their log, and replays one or all, or only counts', async () => {
      const at = '2026-11-22T09:00:00.000Z';
      const attempt = {
        number: 1,
        startedAt: at,
        endedAt: at,
        outcome: 'RetryableError',
        error: '503',
        hint: null,
        request: 'POST',
        response: '503',
      };
      api.gateway.state.deliveries.set('tsk_1', {
        id: 'tsk_1', destination: 'crm', type: 'deliver', state: 'dead', ticketId: 'tkt_1', messageId: 'msg_1',
        attempts: 1, nextAttemptAt: null, error: '503', replayAt: null, createdAt: at, updatedAt: at, log: [attempt],
      }); // prettier-ignore
      assert.deepEqual((await api.call('GET', '/deliveries/tsk_1')).json.log, [attempt]);
      assert.equal((await api.call('GET', '/deliveries?state=dead')).json.data.length, 1);
      assert.equal((await api.call('POST', '/deliveries/tsk_1/replay')).status, 200);
      const cancelled = await api.call('POST', '/deliveries/replay/cancel', { body: { destination: 'crm' } });
      assert.deepEqual(cancelled.json, { count: 1 });
      const body = { destination: 'crm', state: 'dead', dryRun: true };
      assert.deepEqual((await api.call('POST', '/deliveries/replay', { body })).json, { count: 1, dryRun: true });
    });
  });

  describe('files', () => {
    const attachment = {
      id: 'a', rowId: 'att_1', messageId: 'msg_1', name: 'x', mediaType: 'image/png', state: 'stored' as const, payloadId: null, endpointId: null,
    }; // prettier-ignore

    it('come as a download that no browser runs', async () => {
      const sha256 = saveBlob(api.gateway.state, Buffer.from('<svg onload=alert(1)>'));
      const name = '../../etc/\u202egpj.exe"\r\nx: y\u0000.svg';
      api.gateway.state.attachments.set('att_1', { ...attachment, sha256, name, mediaType: 'image/svg+xml' });
      const { headers, text } = await api.call('GET', '/attachments/att_1');
      assert.equal(text, '<svg onload=alert(1)>');
      assert.equal(headers['content-type'], 'application/octet-stream');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['content-security-policy'], "sandbox; default-src 'none'");
      assert.equal(
        headers['content-disposition'],
        `attachment; filename="gpj.exe_x: y.svg"; filename*=UTF-8''gpj.exe%22x%3A%20y.svg`,
      );
    });

    it('keep a harmless type and a name in any script', async () => {
      const sha256 = saveBlob(api.gateway.state, Buffer.from('89504e470d0a1a0a0000', 'hex'));
      api.gateway.state.attachments.set('att_1', { ...attachment, sha256, name: 'фото.png' });
      const { headers } = await api.call('GET', '/attachments/att_1');
      assert.equal(headers['content-type'], 'image/png');
      assert.equal(
        headers['content-disposition'],
        `attachment; filename="____.png"; filename*=UTF-8''%D1%84%D0%BE%D1%82%D0%BE.png`,
      );
    });

    it('are bytes when they are not what they say they are (E04)', async () => {
      for (const bytes of ['MZ\u0090', '<html><script>alert(1)</script>', '', '\u0089PN']) {
        const sha256 = saveBlob(api.gateway.state, Buffer.from(bytes, 'latin1'));
        for (const mediaType of ['image/png', 'image/jpeg', 'video/mp4', 'text/html', '__proto__', 'constructor']) {
          api.gateway.state.attachments.set('att_1', { ...attachment, sha256, mediaType });
          const { headers } = await api.call('GET', '/attachments/att_1');
          assert.equal(headers['content-type'], 'application/octet-stream', `${mediaType} ${bytes}`);
          assert.match(headers['content-disposition']!, /^attachment;/);
        }
      }
    });

    it('say why they can not be had', async () => {
      const error = 'the file is larger than 100 bytes';
      api.gateway.state.attachments.set('att_1', { ...attachment, state: 'failed', error });
      const { status, text } = await api.call('GET', '/attachments/att_1');
      assert.equal(status, 404);
      assert.match(text, /larger than 100 bytes/);
    });

    it('say so while they are still fetched', async () => {
      api.gateway.state.attachments.set('att_1', { ...attachment, state: 'waiting' });
      assert.equal((await api.call('GET', '/attachments/att_1')).status, 409);
    });
  });
});
