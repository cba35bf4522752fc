/**
 * The first half of the script in a visitor's browser: what goes to the gateway and comes from it. What was said is always
 * read as it is now, so nothing is missed or shown twice; the socket only says that there is something to read, and when
 * it can't be had the page looks by itself. What he writes is kept until the gateway has stored it, under an id that makes
 * a second try the same message.
 */
export const widgetTalk = String.raw`  const script = document.currentScript;
  if (!script || document.querySelector('tributary-chat')) return;
  const base = new URL(script.src).href.split(/[?#]/)[0].replace(/\/widget\.js$/, '');
  const language = (script.dataset.language || document.documentElement.lang || navigator.language).slice(0, 2);
  const shownIn = given.texts[language] ? language : 'en';
  const texts = given.texts[shownIn];
  const text = (name, values) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

  // Kept in the browser for all its tabs: whose token it is, and each message that isn't stored yet under a key of its own.
  const place = 'tributary-chat:' + base;
  const memory = Object.create(null);
  const store = (() => {
    try { return localStorage; } catch { return memory; }
  })();
  const put = (key, value) => {
    try { store[key] = JSON.stringify(value); } catch { memory[key] = JSON.stringify(value); }
  };
  const remove = (key) => {
    delete store[key];
    delete memory[key];
  };
  const get = (key) => JSON.parse(memory[key] || store[key] || '{}');
  let kept = get(place);
  /** The address that he has left, for when he is gone. */
  const own = place + '?';
  const keyOf = (id) => place + '/' + id;
  const pending = () => Object.keys({ ...store, ...memory })
    .filter((key) => key.startsWith(keyOf('')))
    .map((key) => ({ ...get(key), id: key.slice(keyOf('').length) }))
    .sort((a, b) => a.at - b.at);

  const request = (path, headers, body) => fetch(base + path, {
    method: body ? 'POST' : 'GET',
    headers: {
      ...(kept.token && { authorization: 'Bearer ' + kept.token }),
      ...(body && { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body && JSON.stringify({ ...body, session: kept.token.split('.')[0] }),
    credentials: 'omit',
    cache: 'no-store',
  });

  /** A token, new or renewed; one tab at a time, so that all have the same. */
  function begin() {
    return navigator.locks ? navigator.locks.request(place, renew) : renew();
  }

  async function renew() {
    kept = get(place);
    const identity = script.dataset.identity;
    let answer = await request('/session', identity ? { 'tributary-identity': identity } : {});
    if (answer.status === 401 && identity) answer = await request('/session', {});
    if (!answer.ok) throw new Error('no session: ' + answer.status);
    const { thread: before } = kept;
    kept = await answer.json();
    put(place, kept);
    // What another person wrote here is not this one's to send.
    for (const { id, thread } of pending()) if (thread && thread !== kept.thread) remove(keyOf(id));
    if (before && before !== kept.thread) remove(own);
    connect();
  }

  // What he writes: one after the other, in order.
  let sending;
  let tries = 0;
  function flush() {
    sending ??= deliver().catch(() => 'later').then((end) => {
      sending = undefined;
      render();
      if (end !== 'later') return;
      setTimeout(flush, Math.min(30000, 1000 * 2 ** tries++));
    });
  }

  async function deliver() {
    for (let [next] = pending(); next; [next] = pending()) {
      if (!kept.token) await begin();
      const { id, text, files } = next;
      const { name, email, phone } = { ...get(own), ...script.dataset };
      const page = location.origin + location.pathname;
      const answer = await request('', {}, { type: 'message', id, text, files, name, email, phone, language, page });
      if (answer.status === 401) {
        // The token has ended; the person is still the same.
        for (const { id, ...message } of pending()) put(keyOf(id), { ...message, thread: undefined });
        remove(place);
        kept = {};
      } else if ([403, 404, 429].includes(answer.status) || answer.status >= 500) return 'later';
      else {
        tries = 0;
        if (!answer.ok) refused.push({ ...next, from: 'visitor', state: 'refused', files: [] });
        await refresh();
        remove(keyOf(id));
      }
    }
  }

  function write(words, files) {
    const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const message = { text: words, files, thread: kept.thread, at: Date.now() };
    // Files may be larger than what a browser keeps for a site, and other tabs must not send the words without them.
    if (files.length > 0) memory[keyOf(id)] = JSON.stringify(message);
    else put(keyOf(id), message);
    render();
    flush();
  }

  // What was said, oldest first.
  let said = [];
  const refused = [];
  let reading;
  let again = false;
  let readAt = 0;
  function refresh() {
    again = true;
    reading ??= (async () => {
      while (again && kept.token) {
        again = false;
        await readNew();
      }
    })().catch(() => undefined).finally(() => { reading = undefined; render(); });
    return reading;
  }

  async function readNew() {
    const isKnown = new Set(said.map((message) => message.id));
    const fresh = [];
    let cursor = '';
    do {
      const answer = await request('/messages?limit=50' + cursor, {});
      if (!answer.ok) throw new Error('not read: ' + answer.status);
      const page = await answer.json();
      fresh.unshift(...page.data.reverse());
      cursor = page.nextCursor && '&cursor=' + page.nextCursor;
    } while (cursor && said.length > 0 && !fresh.some((message) => isKnown.has(message.id)));
    const from = said.findIndex((message) => message.id === fresh[0]?.id);
    said = [...(from < 0 ? [] : said.slice(0, from)), ...fresh];
    readAt = Date.now();
    render();
    await acknowledge();
  }

  async function acknowledge() {
    const state = isRead() ? 'read' : 'delivered';
    const isDue = (message) => message.from === 'team' && message.state !== 'read' && message.state !== state;
    for (let due = said.filter(isDue); due.length > 0; due = due.slice(50)) {
      const seen = due.slice(0, 50);
      const answer = await request('', {}, { type: 'receipt', state, ids: seen.map((message) => message.id) });
      if (!answer.ok) return;
      for (const message of seen) message.state = state;
    }
  }

  // The socket: socket.io's protocol, as far as a signal needs it.
  let socket;
  let rests = 0;
  let lastHeard = 0;
  function connect() {
    if (socket || !kept.token || document.hidden) return;
    const opened = (socket = new WebSocket(new URL(base).origin.replace(/^http/, 'ws') + '/socket.io/?EIO=4&transport=websocket'));
    lastHeard = Date.now();
    opened.onmessage = ({ data }) => {
      lastHeard = Date.now();
      if (data === '2') opened.send('3');
      else if (data[0] === '0') opened.send('40/chat,' + JSON.stringify({ channel: given.channel, token: kept.token }));
      else if (data.startsWith('40/chat,')) {
        rests = 0;
        refresh();
      } else if (data.startsWith('42/chat,["changed"')) refresh();
      else if (data.startsWith('42/chat,["typing"')) showTyping();
      else if (data.startsWith('44/chat,')) opened.close();
    };
    opened.onclose = () => {
      if (socket === opened) socket = undefined;
      setTimeout(connect, Math.min(30000, 1000 * 2 ** rests++));
    };
  }

  function look() {
    if (document.hidden || !kept.token) return;
    if (socket && Date.now() - lastHeard > 60000) socket.close();
    if (Date.now() - readAt > (socket ? 60000 : 10000)) refresh();
    if (tries === 0) flush();
  }

  function wake() {
    rests = 0;
    tries = 0;
    connect();
    refresh();
    flush();
  }
`;
