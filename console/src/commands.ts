import { densities } from './density.ts';
import type { Find } from './focus.ts';
import { keptForGood, keptInTab } from './kept.ts';
import { may } from './may.ts';
import type { Box, Parts } from './parts.ts';
import { sections, topOf } from './place.ts';
import type { Section } from './place.ts';
import { languages, textsOf } from './texts.ts';
import type { Language } from './texts.ts';
import { ticketCommands, viewCommands } from './ticket-commands.ts';

/** Something that can be done now, by its key or in the palette. */
export interface Command {
  readonly id: string;
  readonly title: string;
  /** Name of its keys, as `createChords` gives it. */
  readonly keys?: string;
  run(): void;
}

/** What only the page itself can do. */
export interface Acts {
  readonly focus: (find: Find) => void;
  readonly help: () => void;
}

/** The letter behind G; by its place on the keyboard. */
export const sectionKeys: Readonly<Record<Section, string>> = {
  inbox: 'KeyI',
  customers: 'KeyC',
  channels: 'KeyH',
  destinations: 'KeyD',
  routes: 'KeyR',
  events: 'KeyE',
};

/** Those with a search of their own; from the others it is the inbox's. */
const SEARCHED: ReadonlySet<Section> = new Set(['inbox', 'customers', 'events']);

/** Everything that can be done where we are. */
export function commandsOf(parts: Parts, acts: Acts): readonly Command[] {
  return [
    ...pageCommands(parts, acts),
    ...parts.offered.get(),
    ...viewCommands(parts),
    ...sectionCommands(parts, acts),
    ...endpointCommands(parts),
    ...settingCommands(parts, acts),
  ];
}

function sectionCommands(parts: Parts, { focus }: Acts): Command[] {
  const { route } = parts;
  const t = textsOf(parts.language.get());
  const toSearch = () => {
    const { section, task } = route.place.get();
    // The inbox shows its list beside what is open.
    if (section !== 'inbox' && task !== 'choose')
      route.go({ section: SEARCHED.has(section) ? section : 'inbox', id: undefined });
    focus(() => document.getElementById('search'));
  };
  return [
    ...sections.map((section) => ({
      id: `to ${section}`,
      title: `${t.goTo}: ${t.sections[section]}`,
      keys: `KeyG ${sectionKeys[section]}`,
      run: () => route.go(topOf(section)),
    })),
    ...(may(parts.session, 'endpoints:write') ? (['channel', 'destination'] as const) : []).map((role) => ({
      id: `connect ${role}`,
      title: t.endpoints.connect[role],
      run: () => route.go({ ...topOf(`${role}s`), task: 'choose' }),
    })),
    { id: 'search', title: t.search, keys: 'Slash', run: toSearch },
  ];
}

/** For the ticket that is open. */
function pageCommands(parts: Parts, { focus }: Acts): Command[] {
  const { conversation, route, box } = parts;
  const { section, id } = route.place.get();
  const ticket = conversation.state.get()?.ticket;
  if (section !== 'inbox' || id === undefined || !ticket) return [];
  const t = textsOf(parts.language.get());
  const answer = (next: Box) => {
    box.set(next);
    focus(() => document.getElementById('answer'));
  };
  return [
    { id: 'reply', title: t.reply, keys: 'KeyR', run: () => answer('reply') },
    { id: 'note', title: t.note, keys: 'KeyN', run: () => answer('note') },
    ...ticketCommands(parts),
  ];
}

function endpointCommands(parts: Parts): Command[] {
  const t = textsOf(parts.language.get());
  const { channel, destination } = parts.endpoints.state.get();
  return [...channel, ...destination].map(({ id, name, role }) => ({
    id: `${role} ${id}`,
    title: `${t.roles[role]}: ${name}`,
    run: () => parts.route.go({ ...topOf(`${role}s`), id }),
  }));
}

function settingCommands(parts: Parts, { help }: Acts): Command[] {
  const { language, density, shortcuts, api } = parts;
  const t = textsOf(language.get());
  return [
    { id: 'help', title: t.keys.title, keys: 'Shift+Slash', run: help },
    ...(Object.keys(languages) as Language[])
      .filter((tag) => tag !== language.get())
      .map((tag) => ({ id: tag, title: `${t.language}: ${languages[tag]}`, run: () => chooseLanguage(parts, tag) })),
    ...densities
      .filter((one) => one !== density.get())
      .map((one) => ({
        id: one,
        title: `${t.density}: ${t.densities[one]}`,
        run: () => {
          keptForGood.write('density', one);
          density.set(one);
        },
      })),
    {
      id: 'shortcuts',
      title: shortcuts.get() === 'on' ? t.keys.switchOff : t.keys.switchOn,
      run: () => {
        const next = shortcuts.get() === 'on' ? 'off' : 'on';
        keptForGood.write('shortcuts', next);
        shortcuts.set(next);
      },
    },
    { id: 'api', title: t.api, run: () => location.assign('/docs/api') },
    { id: 'sign out', title: t.signOut, run: () => signOut(api) },
  ];
}

export function chooseLanguage({ language }: Pick<Parts, 'language'>, next: Language): void {
  keptForGood.write('language', next);
  language.set(next);
}

export function signOut(api: Parts['api']): void {
  const leave = () => {
    // Drafts are nobody else's to read.
    keptInTab.clear();
    location.assign('/');
  };
  api.signOut().then(leave, leave);
}
