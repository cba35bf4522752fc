/** The second half of the script in a visitor's browser: what he sees and does. Built of elements: no markup from strings. */
export const widgetPage = String.raw`  // The page.
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  // The page around it may be in another language.
  const host = make('tributary-chat', { lang: shownIn });
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(given.style);
  root.adoptedStyleSheets = [sheet];
  const launch = make('button', { className: 'launch', type: 'button' });
  const list = make('ol', {});
  const log = make('div', { className: 'log', role: 'log', tabIndex: 0, ariaLabel: text('log') }, list);
  const note = make('p', { className: 'note', role: 'status' });
  const input = make('textarea', { maxLength: 20000, placeholder: text('message') });
  input.setAttribute('aria-label', text('message'));
  const mail = make('input', { type: 'email', autocomplete: 'email', maxLength: 254 });
  const mailLine = make('label', {}, text('email'), mail);
  const picker = make('input', { type: 'file', multiple: true, hidden: true });
  const attach = make('button', { type: 'button', className: 'plain', textContent: text('attach'), hidden: given.maxFiles === 0 });
  const close = make('button', { type: 'button', className: 'plain', textContent: '✕', ariaLabel: text('close') });
  const form = make('form', {}, mailLine, input, picker, attach, make('button', { type: 'submit', textContent: text('send') }));
  const title = given.title || text('title');
  const panel = make('section', { className: 'panel', hidden: true, ariaLabel: title },
    make('header', {}, make('h2', { textContent: title }), close), log, note, form);
  root.append(make('div', { className: 'chat' }, launch, panel));

  const isRead = () => !panel.hidden && !document.hidden;
  let typing;
  function showTyping() {
    note.className = 'note';
    note.textContent = text('typing');
    clearTimeout(typing);
    typing = setTimeout(() => { note.textContent = ''; }, 5000);
  }

  const rows = new Map();
  function render() {
    const ids = new Set(said.map((message) => message.id));
    const open = pending().filter((message) => !ids.has(message.id));
    const all = [...said, ...refused, ...open.map((message) => ({ ...message, from: 'visitor', state: 'waiting', files: [] }))];
    if (all.length === 0 && given.greeting) all.push({ id: '', from: 'team', text: given.greeting, files: [] });
    for (const [index, message] of all.entries()) {
      const row = rowOf(message);
      if (list.children[index] === row) continue;
      list.insertBefore(row, list.children[index] || null);
      log.scrollTop = log.scrollHeight;
    }
    while (list.children.length > all.length) list.lastElementChild.remove();
    const unread = said.filter((message) => message.from === 'team' && message.state !== 'read').length;
    mailLine.hidden = Boolean(script.dataset.email || script.dataset.identity || get(own).email);
    launch.textContent = unread > 0 ? title + ' (' + text('unread', { n: unread }) + ')' : title;
  }

  function rowOf(message) {
    const shown = JSON.stringify(message);
    const known = rows.get(message.id);
    if (known && known.shown === shown) return known.row;
    const row = known ? known.row : make('li');
    row.className = message.from;
    row.replaceChildren(make('span', { className: 'who', textContent: text(message.from === 'team' ? 'us' : 'you') + ': ' }), ...linked(message.text));
    for (const file of message.files) {
      row.append(make('button', { type: 'button', className: 'plain', textContent: file.name, onclick: () => save(file) }));
    }
    if (message.at) row.append(make('time', { dateTime: new Date(message.at).toISOString(), textContent: timeOf(message.at) }));
    const state = { waiting: text('waiting'), refused: text('failed') }[message.state];
    if (state) row.append(make('span', { className: 'state', textContent: state }));
    rows.set(message.id, { row, shown });
    return row;
  }

  /** What looks like an address of the web leads there; that is all that is made of a text. */
  function linked(words) {
    return words.split(/(https?:\/\/[^\s<>"']{1,2000})/).map((part, index) => {
      const [, href, rest] = index % 2 ? part.match(/^(.*?)([.,;:!?)\]]{0,9})$/) : [];
      if (!href || !URL.canParse(href)) return part;
      const link = make('span', {}, make('a', { href, target: '_blank', rel: 'noopener noreferrer', textContent: href }), rest);
      return link;
    });
  }

  function timeOf(at) {
    const isToday = new Date(at).toDateString() === new Date().toDateString();
    return new Intl.DateTimeFormat(shownIn, { timeStyle: 'short', ...(!isToday && { dateStyle: 'short' }) }).format(new Date(at));
  }

  async function save({ id, name }) {
    const answer = await request('/files/' + id, {});
    if (!answer.ok) return;
    const href = URL.createObjectURL(await answer.blob());
    make('a', { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
  }

  const read = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name, content: reader.result.slice(reader.result.indexOf(',') + 1) });
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });

  launch.onclick = () => {
    panel.hidden = false;
    launch.hidden = true;
    input.focus();
    if (kept.token) refresh();
    else begin().then(refresh, () => undefined);
  };
  close.onclick = () => {
    panel.hidden = true;
    launch.hidden = false;
    launch.focus();
  };
  panel.onkeydown = (event) => { if (event.key === 'Escape') close.onclick(); };
  attach.onclick = () => picker.click();
  picker.onchange = () => {
    const names = [...picker.files].map((file) => file.name);
    const fits = names.length <= given.maxFiles && [...picker.files].every((file) => file.size <= given.maxFileBytes);
    note.className = fits ? 'note' : 'note bad';
    note.textContent = fits ? names.join(', ') : text('files', { n: given.maxFiles, mb: Math.floor(given.maxFileBytes / 1048576) });
    if (!fits) picker.value = '';
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const words = input.value.trim();
    const chosen = [...picker.files];
    if (words === '' && chosen.length === 0) return;
    if (mail.value) put(own, { email: mail.value });
    input.value = picker.value = note.textContent = mail.value = '';
    write(words, await Promise.all(chosen.map(read)));
  };
  input.onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  let typedAt = 0;
  input.oninput = () => {
    if (!socket || socket.readyState !== 1 || Date.now() - typedAt < 3000) return;
    typedAt = Date.now();
    socket.send('42/chat,["typing"]');
  };

  document.addEventListener('visibilitychange', () => { if (!document.hidden) wake(); });
  addEventListener('online', wake);
  // Another tab has got a token, or has written something.
  addEventListener('storage', ({ key }) => {
    if (key === place) kept = get(place);
    if (key !== null && key.startsWith(place)) render();
  });
  setInterval(look, 5000);
  document.body ? document.body.append(host) : addEventListener('DOMContentLoaded', () => document.body.append(host));
  render();
  if (kept.token || script.dataset.identity) begin().then(refresh, () => undefined).then(flush);
`;
