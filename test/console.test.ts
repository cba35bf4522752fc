import assert from 'node:assert/strict';
import { addressesOf } from '../console/src/addresses.ts';
import { ago } from '../console/src/ago.ts';
import { createChords } from '../console/src/chords.ts';
import { densityOf } from '../console/src/density.ts';
import { found } from '../console/src/found.ts';
import { groupOf, lookOf, reasonOf } from '../console/src/health.ts';
import { addressOf, anything, placeOf, placeOfView, stepFrom, topOf, viewOf, views } from '../console/src/place.ts';
import type { Place } from '../console/src/place.ts';
import { replayStates, sinceOf, spans } from '../console/src/replay.ts';
import { deliveryName } from '../console/src/sections/delivery-types.ts';
import { languageOf, languages, textsOf } from '../console/src/texts.ts';
import type { Language } from '../console/src/texts.ts';
import { healthStates } from '../console/src/views.ts';
import type { EndpointView, Health } from '../console/src/views.ts';

const fine: Health = {
  state: 'healthy',
  problem: null,
  lastInAt: '2026-11-23T10:00:00.000Z',
  lastOutAt: null,
  backlog: 0,
  dead: 0,
  lagMs: null,
  failures: 0,
  lastError: null,
  lastErrorAt: null,
  quarantinedAt: null,
  reconciledAt: null,
  missed: 0,
  pausedUntil: null,
  pauseReason: null,
  linking: null,
};

function channel(health: Partial<Health> = {}, given: Partial<EndpointView> = {}): EndpointView {
  return {
    id: 'bot',
    role: 'channel',
    type: 'telegram',
    name: 'bot',
    enabled: true,
    source: null,
    ...{ webhookUrl: 'https://desk.example.com/webhooks/bot', registers: false },
    ...{ settings: {}, autoReply: null },
    testable: true,
    health: { ...fine, ...health },
    ...given,
  };
}

describe('the console', () => {
  describe('an address', () => {
    const nowhere: Place = {
      ...{ section: 'inbox', id: undefined, q: '', status: 'unsolved', who: '' },
      ...anything,
      ...{ outcome: undefined, state: undefined, delivery: undefined, find: '', from: undefined, span: 'all' },
      ...{ task: 'look', type: undefined },
    };
    const read = (address: string) => placeOf(new URL(address, 'https://desk.example.com'));

    it('says where one is, and is written as it was read', () => {
      const cases: [string, Partial<Place>][] = [
        ['/', {}],
        ['/?q=%D1%84%D0%BE%D1%80%D0%BC%D0%B0&status=all', { q: 'форма', status: 'all' }],
        ['/?assignee=me', { assignee: 'me' }],
        [
          '/t/tkt_1?assignee=none&status=open&channel=bot&team=%D0%A1%D0%BA%D0%BB%D0%B0%D0%B4&tag=vip&priority=urgent',
          {
            ...{ id: 'tkt_1', assignee: 'none', status: 'open', channel: 'bot', team: 'Склад', tag: 'vip' },
            priority: 'urgent',
          },
        ],
        ['/t/tkt_1?status=closed', { id: 'tkt_1', status: 'closed' }],
        ['/customers?q=%2B380', { section: 'customers', who: '+380' }],
        ['/customers/cus_1', { section: 'customers', id: 'cus_1' }],
        ['/channels', { section: 'channels' }],
        ['/channels/my-bot_2', { section: 'channels', id: 'my-bot_2' }],
        ['/channels/new', { section: 'channels', task: 'choose' }],
        ['/destinations/new/help_scout', { section: 'destinations', task: 'make', type: 'help_scout' }],
        ['/channels/bot/settings', { section: 'channels', id: 'bot', task: 'change' }],
        ['/channels/bot?outcome=quarantined', { section: 'channels', id: 'bot', outcome: 'quarantined' }],
        [
          '/destinations/crm?state=needs_check&delivery=tsk_1',
          { section: 'destinations', id: 'crm', state: 'needs_check', delivery: 'tsk_1' },
        ],
      ];
      for (const [address, place] of cases) {
        assert.deepEqual(read(address), { ...nowhere, ...place }, address);
        assert.equal(addressOf({ ...nowhere, ...place }), address);
      }
    });

    it('that says nothing that exists leads to the inbox', () => {
      for (const address of ['/nothing', '/nothing/x', '/t/..%2Fx', '/t/', '/?status=lost', `/t/${'x'.repeat(129)}`]) {
        assert.deepEqual(read(address), nowhere, address);
      }
      assert.equal(read('/channels/bot?outcome=lost').outcome, undefined);
      const { state, delivery } = read('/destinations/crm?state=lost&delivery=..%2Fx');
      assert.deepEqual([state, delivery], [undefined, undefined]);
      assert.equal(read(`/?q=${'x'.repeat(500)}`).q.length, 200);
    });

    it('leaves what was being connected or changed with the next step', () => {
      const choosing = { ...nowhere, section: 'channels', task: 'choose' } as const;
      const making = stepFrom(choosing, { task: 'make', type: 'telegram' });
      assert.equal(addressOf(making), '/channels/new/telegram');
      assert.equal(addressOf(stepFrom(making, { id: 'bot' })), '/channels/bot');
      const changing = stepFrom(making, { id: 'bot', task: 'change' });
      assert.equal(addressOf(changing), '/channels/bot/settings');
      assert.equal(addressOf(stepFrom(changing, { id: undefined })), '/channels');
      assert.equal(addressOf(stepFrom(making, { section: 'inbox' })), '/');
      assert.equal(addressOf({ ...changing, outcome: 'ignored' }), '/channels/bot/settings');
      assert.deepEqual(read('/channels/new/No..Such'), { ...nowhere, section: 'channels', task: 'choose' });
    });

    it('holds only what matters in its section', () => {
      const place = { ...nowhere, q: 'words', status: 'all', outcome: 'ignored' } as const;
      assert.equal(addressOf(place), '/?q=words&status=all');
      assert.equal(addressOf({ ...place, section: 'channels' }), '/channels');
      assert.equal(addressOf({ ...place, section: 'channels', id: 'bot' }), '/channels/bot?outcome=ignored');
      assert.equal(addressOf({ ...place, section: 'destinations', id: 'crm' }), '/destinations/crm');
      const open = { ...place, section: 'destinations', id: 'crm', state: 'dead', delivery: 'tsk_1' } as const;
      assert.equal(addressOf({ ...open, ...topOf('destinations') }), '/destinations');
      assert.equal(addressOf({ ...open, ...topOf('inbox') }), '/?q=words&status=all');
    });
  });

  describe('a view', () => {
    const elsewhere = { ...anything, id: undefined, q: 'words', status: 'all', tag: 'vip' } as const;

    it('leads to work that is not done, with nothing else looked for', () => {
      assert.deepEqual(
        views.map((view) => ({ ...elsewhere, ...placeOfView(view) })),
        ['me', 'none', undefined].map((assignee) => ({
          ...{ ...anything, id: undefined, q: '', status: 'unsolved', section: 'inbox' },
          assignee,
        })),
      );
    });

    it('is known by whose tickets it shows, however they are narrowed down', () => {
      assert.deepEqual(
        ['me', 'none', undefined, 'usr_2'].map((assignee) => viewOf({ ...elsewhere, assignee })),
        ['mine', 'unassigned', 'all', undefined],
      );
    });
  });

  describe('keys', () => {
    it('that are pressed one after the other make one name, and alone their own', () => {
      const chords = createChords(['KeyG']);
      const press = (code: string, timeStamp: number, shiftKey = false) => chords.press({ code, timeStamp, shiftKey });
      assert.equal(press('KeyJ', 0), 'KeyJ');
      assert.equal(press('KeyG', 100), undefined);
      assert.equal(press('KeyH', 1500), 'KeyG KeyH');
      assert.equal(press('KeyH', 1600), 'KeyH', 'the first half is used up');
      assert.equal(press('KeyG', 2000), undefined);
      assert.equal(press('KeyH', 3500), 'KeyH', 'too late');
      assert.equal(press('Slash', 4000, true), 'Shift+Slash');
      assert.equal(press('KeyG', 5000), undefined);
      assert.equal(press('KeyG', 5100), 'KeyG KeyG', 'that is nothing, and the next key is free again');
      assert.equal(press('KeyI', 5200), 'KeyI');
    });
  });

  describe('the palette', () => {
    const all = ['Go to: Channels', 'Channel: contact', 'Перейти: Звернення', 'Всё ещё', 'Стан: Вирішене'].map(
      (title) => ({
        title,
      }),
    );
    const titles = (words: string) => found(all, words).map(({ title }) => title);

    it('finds what has every word, in any order, what begins with them first', () => {
      assert.deepEqual(titles('chan'), ['Channel: contact', 'Go to: Channels']);
      assert.deepEqual(titles('channels go'), ['Go to: Channels']);
      assert.deepEqual(titles('channel contact'), ['Channel: contact']);
      assert.deepEqual(titles('nothing'), []);
      assert.equal(titles('').length, all.length);
    });

    it('takes letters as people type them', () => {
      assert.deepEqual(titles('все еще'), ['Всё ещё']);
      assert.deepEqual(titles('ПЕРЕИТИ'), ['Перейти: Звернення']);
    });
  });

  describe('health', () => {
    const t = textsOf('en').health;
    const why = (endpoint: EndpointView) => reasonOf(endpoint, t, (iso) => iso);

    it('asks for a person where nothing goes on without one', () => {
      const cases: [Partial<Health>, ReturnType<typeof lookOf>, ReturnType<typeof groupOf>][] = [
        [{ state: 'needs_reauth' }, 'act', 'attention'],
        [{ state: 'setting_up' }, 'act', 'attention'],
        [{ state: 'paused' }, 'act', 'attention'],
        [{ state: 'paused', pausedUntil: '2026-11-23T12:00:00.000Z' }, 'warn', 'attention'],
        [{ state: 'degraded' }, 'warn', 'attention'],
        [{ state: 'healthy' }, 'ok', 'fine'],
        [{ state: 'quiet' }, 'idle', 'idle'],
        [{ state: 'waiting_first' }, 'idle', 'idle'],
      ];
      assert.deepEqual(new Set(cases.map(([{ state }]) => state)), new Set(healthStates));
      for (const [health, look, group] of cases) {
        assert.deepEqual([lookOf(channel(health)), groupOf(channel(health))], [look, group], health.state);
      }
      const off = channel({ state: 'paused' }, { enabled: false });
      assert.deepEqual([lookOf(off), groupOf(off)], ['off', 'off']);
    });

    it('says why, in the words of the other side where there are any', () => {
      const early = '2026-11-23T10:00:00.000Z';
      const late = '2026-11-23T11:00:00.000Z';
      const cases: [Partial<Health>, string | undefined][] = [
        [{ state: 'healthy', lastError: '502', lastErrorAt: early }, undefined],
        [{ state: 'setting_up', problem: 'The token is missing' }, 'The token is missing'],
        [{ state: 'setting_up', linking: { text: 'Scan the code', qr: null } }, 'Scan the code'],
        [{ state: 'needs_reauth', lastError: '401 revoked' }, '401 revoked'],
        [{ state: 'needs_reauth' }, t.refused],
        [{ state: 'paused', pauseReason: 'gone (410)' }, `gone (410) · ${t.stopped}`],
        [{ state: 'paused', pauseReason: '429', pausedUntil: late }, `429 · ${t.until(late)}`],
        [{ state: 'degraded', lastError: '502', lastErrorAt: late, quarantinedAt: early }, '502'],
        [{ state: 'degraded', lastError: '502', lastErrorAt: early, quarantinedAt: late }, t.unread(late)],
        [{ state: 'degraded', quarantinedAt: late }, t.unread(late)],
        [{ state: 'degraded', failures: 2 }, '2 failures in a row'],
        [{ state: 'quiet', lastInAt: early, lastOutAt: late }, t.quiet(early)],
        [{ state: 'waiting_first' }, t.first.channel],
      ];
      for (const [health, reason] of cases) assert.equal(why(channel(health)), reason, JSON.stringify(health));
      const crm = channel({ state: 'quiet', lastInAt: early, lastOutAt: late }, { role: 'destination' });
      assert.equal(why(crm), t.quiet(late));
      assert.equal(why(channel({ state: 'setting_up', problem: 'switched off' }, { enabled: false })), t.switchedOff);
    });
  });

  describe('addresses to copy', () => {
    const of = (given: Partial<EndpointView>) =>
      addressesOf(channel({}, given)).map(({ kind, text, isCut }) => [kind, text, isCut]);

    it('are those that customers, pages and vendors need', () => {
      assert.deepEqual(of({}), [['webhook', 'https://desk.example.com/webhooks/bot', false]]);
      assert.deepEqual(of({ webhookUrl: null }), []);
      const root = 'https://example.com/below';
      assert.deepEqual(of({ id: 'contact', type: 'form', webhookUrl: `${root}/webhooks/contact` }), [
        ['page', `${root}/forms/contact`, false],
        ['line', `<script src="${root}/forms/contact/embed.js"></script>`, false],
      ]);
      assert.deepEqual(of({ id: 'site', type: 'web_chat', webhookUrl: `${root}/webhooks/site` }), [
        ['line', `<script async src="${root}/chat/site/widget.js"></script>`, false],
      ]);
    });

    it('end before a secret that is not shown', () => {
      const webhookUrl = 'https://desk.example.com/webhooks/bot/••••9876';
      assert.deepEqual(of({ webhookUrl }), [['webhook', 'https://desk.example.com/webhooks/bot/', true]]);
    });
  });

  describe('what is sent again', () => {
    it('began as long ago as was chosen', () => {
      const now = Date.parse('2026-11-23T12:00:00.000Z');
      assert.deepEqual(
        spans.map((span) => sinceOf(span, now)),
        [undefined, '2026-11-23T11:00:00.000Z', '2026-11-22T12:00:00.000Z', '2026-11-16T12:00:00.000Z'],
      );
      assert.equal(replayStates[0], 'dead', 'what was set aside is offered first');
    });
  });

  it('names what goes out in words, and by its type what there are no words for', () => {
    assert.deepEqual(
      (['uk', 'ru', 'en'] as const).map((tag) => deliveryName('message.received', tag)),
      ['Повідомлення клієнта', 'Сообщение клиента', 'Message of a customer'],
    );
    for (const type of ['of.tomorrow', 'constructor', '__proto__']) assert.equal(deliveryName(type, 'en'), type);
  });

  describe('texts', () => {
    it('say how long ago something was, in the largest unit that fits', () => {
      const now = Date.parse('2026-11-23T12:00:00.000Z');
      const before = (seconds: number, language = 'en') =>
        ago(new Date(now - seconds * 1000).toISOString(), now, language);
      assert.deepEqual(
        [-5, 0, 59, 60, 3599, 3600, 86_399, 86_400, 29 * 86_400, 30 * 86_400, 400 * 86_400].map((s) => before(s)),
        [
          ...['now', 'now', '59 sec. ago', '1 min. ago', '59 min. ago', '1 hr. ago'],
          ...['23 hr. ago', 'yesterday', '29 days ago', 'last mo.', 'last yr.'],
        ],
      );
      assert.match(before(120, 'uk'), /2 хв/);
    });

    it('are there in every language, and none is empty', () => {
      const shape = (value: unknown): unknown => {
        if (typeof value !== 'object' || value === null) return typeof value;
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shape(inner)]));
      };
      const english = shape(textsOf('en'));
      for (const tag of Object.keys(languages) as Language[]) {
        assert.deepEqual(shape(textsOf(tag)), english, tag);
        assert.doesNotMatch(JSON.stringify(textsOf(tag)), /""/, tag);
      }
      assert.equal(textsOf('uk').health.failures(3), '3 збої поспіль');
      assert.equal(textsOf('ru').health.failures(5), '5 сбоев подряд');
    });

    it('follow the first wish that can be met', () => {
      assert.deepEqual(
        [languageOf(['de', 'uk-UA', 'en']), languageOf([undefined, 'fr']), densityOf('compact'), densityOf('huge')],
        ['uk', 'en', 'compact', 'cozy'],
      );
    });
  });
});
