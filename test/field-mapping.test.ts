import assert from 'node:assert/strict';
import { z } from 'zod';
import { contactOf, FieldMapping, mapFields, toOurs, toTheirs, values } from '../src/core/field-mapping.ts';
import type { Customer } from '../src/core/ticket.ts';
import { sampleMessage, sampleTicket } from './fakes/samples.ts';

const AT = '2026-11-22T09:00:00.000Z';
const identifier = (kind: string, value: string, trust: 'verified' | 'observed' | 'claimed') => ({
  kind,
  value,
  trust,
  firstSeenAt: AT,
});
const customer = (...identifiers: Customer['identifiers']): Customer => ({
  id: 'cus_1',
  name: 'Olena',
  locale: 'uk',
  identifiers,
  createdAt: AT,
  updatedAt: AT,
  mergedInto: null,
});

describe('The fields of a help desk', () => {
  const mapped = (mapping: unknown, who = customer()) =>
    mapFields(FieldMapping.parse(mapping), {
      ticket: sampleTicket({ fields: { order: 'A-7', 'a/b': 'slash' }, tags: ['vip', 'late'], number: 12 }),
      customer: who,
      message: sampleMessage({ text: 'hello' }),
    });

  it('are filled from the ticket, the customer and the message', () => {
    const fields = mapped({
      order: '/ticket/fields/order',
      odd: '/ticket/fields/a~1b',
      first: ['/ticket/fields/none', '/customer/name'],
      title: { template: '#{/ticket/number} {/message/text}' },
      source: { value: 'tributary' },
      tags: '/ticket/tags',
      number: '/ticket/number',
      nothing: '/ticket/fields/none',
    });
    assert.deepEqual(fields, {
      order: 'A-7',
      odd: 'slash',
      first: 'Olena',
      title: '#12 hello',
      source: 'tributary',
      tags: ['vip', 'late'],
      number: '12',
    });
  });

  it('reach nothing but data', () => {
    assert.deepEqual(mapped({ a: '/constructor/name', b: '/ticket/__proto__/x', c: '/ticket/tags/length' }), {});
    assert.ok(!FieldMapping.safeParse({ a: 'ticket.subject' }).success);
  });

  it('get addresses that a platform carries, the surest first, and never one that was only typed', () => {
    const all = customer(
      identifier('email', 'typed@example.com', 'claimed'),
      identifier('email', 'seen@example.com', 'observed'),
      identifier('email', 'sure@example.com', 'verified'),
      identifier('phone', '+380501112233', 'claimed'),
    );
    assert.equal(contactOf(all, 'email'), 'sure@example.com');
    assert.deepEqual(mapped({ email: '/customer/email', phone: '/customer/phone' }, all), {
      email: 'sure@example.com',
    });
    assert.equal(contactOf(customer(...all.identifiers.slice(0, 2)), 'email'), 'seen@example.com');
    assert.equal(contactOf(customer(all.identifiers[0]!), 'email'), undefined);
  });
});

describe('Values of a help desk', () => {
  const ours = ['open', 'solved', 'closed'] as const;
  const Setting = z.strictObject({
    statuses: values(ours, { open: 'open', solved: 'resolved', closed: ['resolved', 'rejected'] }, 'Statuses'),
  });

  it('are as its type says where nothing else is written', () => {
    const { statuses } = Setting.parse({});
    assert.deepEqual(
      ours.map((one) => toTheirs(statuses, one)),
      ['open', 'resolved', 'resolved'],
    );
    assert.deepEqual(
      ['open', 'Resolved', 'rejected', 'deleted'].map((one) => toOurs(statuses, one)),
      ['open', 'solved', 'closed', undefined],
    );
  });

  it('are what the operator writes: the first is written, all are read', () => {
    const { statuses } = Setting.parse({ statuses: { open: ['resolved', 'in work', 4] } });
    assert.equal(toTheirs(statuses, 'open'), 'resolved');
    assert.deepEqual(
      ['in work', '4', 4, 'resolved'].map((one) => toOurs(statuses, one)),
      ['open', 'open', 'open', 'open'],
    );
    assert.equal(toTheirs(statuses, 'closed'), 'resolved');
    assert.ok(!Setting.safeParse({ statuses: { opne: 'x' } }).success);
    assert.ok(!Setting.safeParse({ statuses: { open: [] } }).success);
  });

  it('are what is written for one of ours before what another one only lists', () => {
    const { statuses } = Setting.parse({ statuses: { open: ['open', 'solved'], solved: 'solved' } });
    assert.equal(toOurs(statuses, 'solved'), 'solved');
  });
});
