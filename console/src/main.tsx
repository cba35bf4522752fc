import { render } from 'preact';
import { api } from './api.ts';
import { App } from './app.tsx';
import { createCell } from './cell.ts';
import type { Command } from './commands.ts';
import type { Choosing } from './choosing.ts';
import { createColleagues, userOf } from './colleagues.ts';
import { createConversation } from './conversation.ts';
import { densityOf } from './density.ts';
import type { Density } from './density.ts';
import { createEndpoints } from './endpoints.ts';
import { createInbox } from './inbox.ts';
import { keptForGood } from './kept.ts';
import { createLive } from './live.ts';
import { PartsContext } from './parts.ts';
import type { Box, Parts } from './parts.ts';
import { createRoute } from './route.ts';
import { createSeen } from './seen.ts';
import { createSpeaker } from './speaker.ts';
import { languageOf, textsOf } from './texts.ts';
import type { Language } from './texts.ts';
import type { Change } from './views.ts';

/** Changes that say: a customer has done something. */
const ARRIVALS: ReadonlySet<string> = new Set(['message.received', 'review.received', 'call.missed', 'call.ended']);

/** Puts the parts together and keeps them in step with the feed. */
async function createParts(): Promise<Parts> {
  const language = createCell<Language>(languageOf([keptForGood.read('language'), ...navigator.languages]));
  const texts = () => textsOf(language.get());
  // The position comes first: what happens while the lists are read is sent again behind it.
  const [after, session] = await Promise.all([api.position(), api.session()]);
  const route = createRoute();
  const colleagues = createColleagues(api, userOf(session));
  const inbox = createInbox(api, colleagues.ownId);
  const conversation = createConversation(api);
  const endpoints = createEndpoints(api);
  const seen = createSeen();
  const speaker = createSpeaker((count, last) => texts().arrived(count, last));

  const changed = (change: Change) => {
    const { ticket, message } = change.data;
    if (change.type === 'channel.health_changed' || route.place.get().section !== 'inbox') endpoints.hear();
    if (ticket) inbox.take(ticket);
    if (ticket) colleagues.see(ticket);
    conversation.apply(change);
    if (!ticket || message?.direction !== 'inbound' || !ARRIVALS.has(change.type)) return;
    seen.expect(ticket);
    speaker.hear(ticket.customer.name ?? texts().unnamed);
  };
  const readAll = () => {
    inbox.refresh();
    conversation.refresh();
    colleagues.refresh();
    void endpoints.refresh();
  };
  const live = createLive({
    after,
    changed,
    reset: readAll,
    // When the session is over, asking leads to the sign-in page.
    refused: () => void api.session().catch(() => undefined),
  });

  const show = () => {
    const { section, id, q, status, assignee, channel, team, tag, priority } = route.place.get();
    if (section === 'inbox') inbox.show({ q, status, assignee, channel, team, tag, priority });
    conversation.open(section === 'inbox' ? id : undefined);
  };
  route.place.watch(show);
  show();
  colleagues.refresh();
  return {
    ...{ api, session, live, route, inbox, conversation, endpoints, colleagues, seen, language },
    choosing: createCell<Choosing | undefined>(undefined),
    density: createCell<Density>(densityOf(keptForGood.read('density'))),
    offered: createCell<readonly Command[]>([]),
    named: createCell<string | undefined>(undefined),
    shortcuts: createCell<'on' | 'off'>(keptForGood.read('shortcuts') === 'off' ? 'off' : 'on'),
    spoken: speaker.spoken,
    box: createCell<Box>('reply'),
  };
}

async function start(root: Element): Promise<void> {
  try {
    const parts = await createParts();
    render(
      <PartsContext.Provider value={parts}>
        <App />
      </PartsContext.Provider>,
      root,
    );
  } catch {
    render(<Broken />, root);
  }
}

function Broken() {
  const { empty } = textsOf(languageOf(navigator.languages));
  return (
    <div class="empty" role="alert">
      <p>{empty.broken}</p>
      <button onClick={() => location.reload()}>{empty.again}</button>
    </div>
  );
}

const root = document.getElementById('console');
if (root) void start(root);
