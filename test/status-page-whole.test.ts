import assert from 'node:assert/strict';
import type { Message, Ticket } from '../src/core/ticket.ts';
import { freePort } from './fakes/free-port.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { until } from './fakes/until.ts';
import { INTAKE_SECRET, startWhole, type Whole } from './fakes/whole.ts';

type Shown = Ticket & { readonly statusUrl: string };

describe('a customer who wants to know how his request is doing', () => {
  let receiver: Receiver;
  let whole: Whole;
  before(async () => {
    receiver = await startReceiver();
    const auth = `auth: { type: standard_webhooks, secret: "${INTAKE_SECRET}" }`;
    const reply = `reply: { url: "${receiver.origin}/answers", secret: "${INTAKE_SECRET}" }`;
    whole = await startWhole({
      yaml: `  - { id: shop, type: webhook, ${auth}, ${reply}, autoReply: 'No. {{number}}: {{statusUrl}}' }\n`,
      env: { PORT: String(await freePort()) },
    });
  });
  after(async () => {
    await whole.close();
    await receiver.close();
  });

  const see = async (url: string) => {
    const answer = await fetch(url);
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return {
      text,
      stage: /<h2>(.*?)<\/h2>/.exec(text)![1],
      answered: /Our last answer<\/dt><dd><time datetime="(.*?)"/.exec(text)?.[1],
    };
  };
  const postForm = async (body: object) => {
    const answer = await fetch(`${whole.running.url}/forms/contact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200);
    return (await answer.json()) as { ok: true; ticket: number; statusUrl?: string };
  };

  it('reads in the automatic answer where that is, and there what agents do for him, and nothing that they keep to themselves', async () => {
    await whole.send({ id: 'a', from: { id: 'u-1' }, thread: 'a', text: 'Where is my order?' }, { channel: 'shop' });
    const told = await until(() => receiver.requests[0], 'the answer is out');
    const { text } = (JSON.parse(told.body.toString()) as { data: { message: Message } }).data.message;
    const [, number, url = ''] = /^No\. (\d+): (http:\/\/\S+)$/.exec(text)!;
    const ticket = await whole.api<Shown>(`/tickets/by-number/${number}`);
    assert.equal(url, ticket.statusUrl);
    const first = await see(url);
    assert.match(first.text, new RegExp(`Request No\\. ${number}[^]*Where is my order\\?`));
    assert.deepEqual([first.stage, first.answered], ['Received', undefined]);

    const post = (what: string, body: object) =>
      whole.api<Message>(`/tickets/${ticket.id}/${what}`, { method: 'POST', body });
    await post('notes', { text: 'a secret among colleagues' });
    assert.equal((await see(url)).text, first.text);

    receiver.behave(() => ({ status: 422, body: 'no' }));
    const { id } = await post('replies', { text: 'never arrives' });
    await until(async () => {
      const { data } = await whole.api<{ data: Message[] }>(`/tickets/${ticket.id}/messages`);
      return data.find((message) => message.id === id)?.delivery?.state === 'failed';
    });
    const failed = await see(url);
    assert.deepEqual([failed.stage, failed.answered], ['In progress', undefined]);

    receiver.behave(() => ({ status: 200 }));
    await post('replies', { text: 'On its way' });
    const answered = await until(async () => {
      const page = await see(url);
      return page.answered !== undefined && page;
    }, 'the answer shows');
    assert.doesNotMatch(answered.text, /never arrives|On its way|secret/);

    await whole.api(`/tickets/${ticket.id}`, { method: 'PATCH', body: { status: 'solved' } });
    await whole.restart();
    assert.equal((await see(url)).stage, 'Solved');
  });

  it('is told by the form whose message opened the request, and not where it came to one that was there', async () => {
    const first = await postForm({ email: 'olena@example.com', message: 'Is it in stock?' });
    assert.match((await see(first.statusUrl!)).text, new RegExp(`No\\. ${first.ticket}`));
    // Anybody can type her address: the page of her request is not for him.
    const second = await postForm({ email: 'olena@example.com', message: 'And when does it come?' });
    assert.deepEqual(second, { ok: true, ticket: first.ticket });
    const same = { email: 'petro@example.com', message: 'twice', id: 'one' };
    assert.ok((await postForm(same)).statusUrl);
    assert.equal((await postForm(same)).statusUrl, undefined);
    const spam = await postForm({ email: 'x@example.com', message: 'www.a.b '.repeat(20) });
    assert.deepEqual(spam, { ok: true });
  });

  it('follows it on where agents merge it', async () => {
    const one = await postForm({ email: 'one@example.com', message: 'first of two' });
    const two = await postForm({ email: 'two@example.com', message: 'second of two' });
    const [from, into] = await Promise.all(
      [one, two].map(({ ticket }) => whole.api<Shown>(`/tickets/by-number/${ticket}`)),
    );
    await whole.api(`/tickets/${from!.id}/merge`, { method: 'POST', body: { into: into!.id } });
    await whole.api(`/tickets/${into!.id}`, { method: 'PATCH', body: { status: 'pending' } });
    const { text, stage } = await see(one.statusUrl!);
    assert.equal(stage, 'Waiting');
    assert.match(
      text,
      new RegExp(`No\\. ${one.ticket}[^]*first of two[^]*together with your request No\\. ${two.ticket}`),
    );
    assert.doesNotMatch(text, /second of two/);
  });
});
