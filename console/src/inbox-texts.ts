import { useTexts } from './parts.ts';
import type { View } from './place.ts';
import { pluralOf } from './plural.ts';
import type { Language } from './texts.ts';

/** What the inbox says besides `texts.ts`. */
export interface InboxTexts {
  readonly views: string;
  readonly view: Readonly<Record<View, string>>;
  readonly filters: string;
  readonly clear: string;
  readonly anybody: string;
  readonly nobody: string;
  readonly me: string;
  readonly assignee: string;
  readonly channel: string;
  readonly anyChannel: string;
  readonly team: string;
  readonly anyTeam: string;
  readonly tag: string;
  readonly anyTag: string;
  readonly anyPriority: string;
  /** Read out: how many filters are set. */
  readonly active: (count: number) => string;
  readonly assign: string;
  readonly assignTo: (name: string) => string;
  readonly assignToMe: string;
  readonly unassign: string;
  readonly giveTo: (team: string) => string;
  readonly noTeam: string;
  readonly newTeam: (name: string) => string;
  readonly tags: string;
  readonly addTag: (name: string) => string;
  readonly newTag: (name: string) => string;
  readonly removeTag: (name: string) => string;
  readonly setPriority: string;
  readonly resolve: string;
  readonly resolveNext: string;
  /** Somebody else has changed the same meanwhile. */
  readonly moved: string;
}

const en: InboxTexts = {
  views: 'Views',
  view: { mine: 'Mine', unassigned: 'Unassigned', all: 'All' },
  filters: 'Filters',
  clear: 'Clear filters',
  anybody: 'Anybody',
  nobody: 'Nobody',
  me: 'Me',
  assignee: 'Assignee',
  channel: 'Channel',
  anyChannel: 'Any channel',
  team: 'Team',
  anyTeam: 'Any team',
  tag: 'Tag',
  anyTag: 'Any tag',
  anyPriority: 'Any priority',
  active: (count) => pluralOf('en', count, { one: `${count} is set`, other: `${count} are set` }),
  assign: 'Assign …',
  assignTo: (name) => `Assign to: ${name}`,
  assignToMe: 'Assign to me',
  unassign: 'Assign to nobody',
  giveTo: (team) => `Team: ${team}`,
  noTeam: 'No team',
  newTeam: (name) => `New team: ${name}`,
  tags: 'Tags …',
  addTag: (name) => `Add tag: ${name}`,
  newTag: (name) => `New tag: ${name}`,
  removeTag: (name) => `Remove tag: ${name}`,
  setPriority: 'Priority …',
  resolve: 'Resolve',
  resolveNext: 'Resolve, then the next one',
  moved:
    'Somebody has changed this ticket meanwhile, so nothing of yours was changed. You see it as it is now: please look, and try again.',
};

const uk: InboxTexts = {
  views: 'Подання',
  view: { mine: 'Мої', unassigned: 'Нічиї', all: 'Усі' },
  filters: 'Фільтри',
  clear: 'Скинути фільтри',
  anybody: 'Будь-хто',
  nobody: 'Ніхто',
  me: 'Я',
  assignee: 'Виконавець',
  channel: 'Канал',
  anyChannel: 'Будь-який канал',
  team: 'Команда',
  anyTeam: 'Будь-яка команда',
  tag: 'Мітка',
  anyTag: 'Будь-яка мітка',
  anyPriority: 'Будь-який пріоритет',
  active: (count) =>
    pluralOf('uk', count, { one: `${count} застосовано`, few: `${count} застосовано`, other: `${count} застосовано` }),
  assign: 'Призначити …',
  assignTo: (name) => `Призначити: ${name}`,
  assignToMe: 'Призначити мені',
  unassign: 'Зняти виконавця',
  giveTo: (team) => `Команда: ${team}`,
  noTeam: 'Без команди',
  newTeam: (name) => `Нова команда: ${name}`,
  tags: 'Мітки …',
  addTag: (name) => `Додати мітку: ${name}`,
  newTag: (name) => `Нова мітка: ${name}`,
  removeTag: (name) => `Прибрати мітку: ${name}`,
  setPriority: 'Пріоритет …',
  resolve: 'Вирішити',
  resolveNext: 'Вирішити й перейти до наступного',
  moved:
    'Хтось тим часом змінив це звернення, тому ваша зміна не застосована. Воно показане таким, яким є зараз: перегляньте та спробуйте ще раз.',
};

const ru: InboxTexts = {
  views: 'Представления',
  view: { mine: 'Мои', unassigned: 'Ничьи', all: 'Все' },
  filters: 'Фильтры',
  clear: 'Сбросить фильтры',
  anybody: 'Кто угодно',
  nobody: 'Никто',
  me: 'Я',
  assignee: 'Исполнитель',
  channel: 'Канал',
  anyChannel: 'Любой канал',
  team: 'Команда',
  anyTeam: 'Любая команда',
  tag: 'Метка',
  anyTag: 'Любая метка',
  anyPriority: 'Любой приоритет',
  active: (count) =>
    pluralOf('ru', count, { one: `${count} применён`, few: `${count} применено`, other: `${count} применено` }),
  assign: 'Назначить …',
  assignTo: (name) => `Назначить: ${name}`,
  assignToMe: 'Назначить мне',
  unassign: 'Снять исполнителя',
  giveTo: (team) => `Команда: ${team}`,
  noTeam: 'Без команды',
  newTeam: (name) => `Новая команда: ${name}`,
  tags: 'Метки …',
  addTag: (name) => `Добавить метку: ${name}`,
  newTag: (name) => `Новая метка: ${name}`,
  removeTag: (name) => `Убрать метку: ${name}`,
  setPriority: 'Приоритет …',
  resolve: 'Решить',
  resolveNext: 'Решить и перейти к следующему',
  moved:
    'Кто-то тем временем изменил это обращение, поэтому ваше изменение не применено. Оно показано таким, какое оно сейчас: посмотрите и попробуйте ещё раз.',
};

export const inboxTexts: Readonly<Record<Language, InboxTexts>> = { en, uk, ru };

export function useInboxTexts(): InboxTexts {
  return inboxTexts[useTexts().language];
}
