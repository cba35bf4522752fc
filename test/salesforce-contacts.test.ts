import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { salesforce } from '../src/dispatch/salesforce/salesforce.ts';
import { openDestinationDesk, type DestinationDesk } from './fakes/destination-desk.ts';
import type { Outgoing } from './fakes/outgoing.ts';
import { CLIENT_ID, CLIENT_SECRET, startSalesforce } from './fakes/salesforce.ts';
import type { FakeSalesforce } from './fakes/salesforce.ts';

const MINUTE = 60_000;

describe('The contact of a case in Salesforce', () => {
  let far: FakeSalesforce;
  let desk: DestinationDesk;
  let out: Outgoing;
  beforeEach(async () => {
    far = await startSalesforce();
    const settings = { apiRoot: far.root, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET };
    desk = await openDestinationDesk(salesforce, 'salesforce', settings);
    ({ out } = desk);
    far.now = () => out.clock.now();
    await desk.write('nobody');
    await desk.settled(1);
  });
  afterEach(async () => {
    await desk.close();
    await far.close();
    assert.deepEqual(far.violations, []);
  });

  const cases = () => far.rows('Case');
  const called = (name: string) => far.calls.filter((each) => each.name === name);
  const OLENA = "email|olena.o'neil@example.com";
  const contacts = () => far.rows('Contact');
  const contactOf = (index: number) => contacts().findIndex(({ Id }) => Id === cases()[index]!['ContactId']);
  function know(fields: object): void {
    contacts().push({
      Id: `003X0000000000${contacts().length}AAA`,
      CreatedDate: String(contacts().length),
      ...fields,
    });
  }

  const ticketOf = async (index: number) => (await out.store.read.ticket(String(cases()[index]!['Tributary_Id__c'])))!;
  /** The customer of a case has another one. */
  async function again(index: number): Promise<void> {
    const ticket = await ticketOf(index);
    const [message] = (await out.store.read.messages(ticket.id, { limit: 1 })).data;
    const customer = (await out.store.read.customer(ticket.customer.id))!;
    const about = { id: 'x', customer, message: message!, transcript: [], open: async () => Readable.from([]) };
    await desk.destination.createTicket!({ ...about, ticket: { ...ticket, id: 'tkt_another' } });
  }

  it('is made once for each customer, named as he is, and stays as agents left it', async () => {
    await desk.write('one', OLENA, {
      sender: { name: 'Olena', identifiers: [{ kind: 'email', value: 'olena@example.com', trust: 'verified' }] },
    });
    await desk.settled(2);
    Object.assign(contacts()[1]!, { LastName: 'Shevchenko' });
    await again(1);
    assert.deepEqual([cases().length, contactOf(2)], [3, 1]);
    const { LastName, Email, Tributary_Id__c: id } = contacts()[1]!;
    assert.deepEqual([LastName, Email, contacts().length], ['Shevchenko', 'olena@example.com', 2]);
    assert.match(String(id), /^cus_/);
  });

  it('is found by the address or the number, whatever quotes they hold', async () => {
    know({ Email: 'another@example.com' });
    know({ Email: "Olena.O'Neil@example.com" });
    know({ MobilePhone: '+380501234567' });
    await desk.write('one', OLENA);
    await desk.write('two', 'phone|+380501234567|observed');
    await desk.settled(3);
    assert.deepEqual([contactOf(1), contactOf(2), contacts().length], [2, 3, 4]);
  });

  it('is nobody whose address was only typed', async () => {
    know({ Email: 'boss@example.com' });
    await desk.write('one', ['telegram|7', 'email|boss@example.com|claimed']);
    await desk.settled(2);
    assert.deepEqual([contactOf(1), contacts()[2]!['Email']], [2, undefined]);
    assert.equal(cases()[1]!['SuppliedEmail'], undefined);
  });

  it('may be missing where a rule lets none be made', async () => {
    far.rule = (object) =>
      object === 'Contact' ? { errorCode: 'DUPLICATES_DETECTED', message: 'Use one of these' } : undefined;
    await desk.write('one', OLENA);
    await desk.settled(2);
    assert.deepEqual([contacts().length, cases()[1]!['ContactId']], [1, undefined]);
    assert.equal(cases()[1]!['SuppliedEmail'], "olena.o'neil@example.com");
    const header = called('PATCH Contact').at(-1)!.headers['sforce-duplicate-rule-header'];
    assert.equal(header, 'allowSave=true');
  });

  it('is his own before one with his address, and that one before one with his number', async () => {
    know({ MobilePhone: '+380501234567' });
    know({ Email: 'olena@example.com' });
    const both = ['email|olena@example.com', 'phone|+380501234567|observed'];
    await desk.write('one', both);
    await desk.settled(2);
    assert.equal(contactOf(1), 2);
    contacts()[1]!['Tributary_Id__c'] = (await ticketOf(1)).customer.id;
    await again(1);
    assert.equal(contactOf(2), 1);
  });

  it('is waited for while Salesforce does not answer', async () => {
    far.end('GET query', { http: 503, body: [] }, { http: 503, body: [] });
    await desk.write('one', OLENA);
    await out.pass(MINUTE);
    await desk.settled(2);
    assert.equal(contactOf(1), 1);
  });

  it('has no address that Salesforce takes for none', async () => {
    await desk.write('one', 'email|мила@example.com');
    await desk.settled(2);
    assert.deepEqual(
      [contactOf(1), cases()[1]!['SuppliedEmail'], contacts()[1]!['LastName']],
      [1, undefined, 'мила@example.com'],
    );
    await desk.write('two', `email|${'o'.repeat(20)}@${'a'.repeat(60)}.example.com`);
    await desk.settled(3);
    assert.equal(cases()[2]!['SuppliedEmail'], undefined, 'no field takes so long a one');
  });
});
