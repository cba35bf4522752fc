import type { Language } from '../core/wished-language.ts';
import type { TicketStatus } from '../core/ticket.ts';

/** Everything that a customer reads on the page of his request, in one language. */
export interface StatusTexts {
  /** Of the language itself. */
  readonly name: string;
  /** For dates. */
  readonly locale: string;
  readonly request: (number: number) => string;
  readonly steps: readonly [received: string, working: string, done: string];
  readonly stages: Readonly<Record<TicketStatus, { readonly title: string; readonly text: string }>>;
  readonly continued: (number: number) => string;
  readonly subject: string;
  readonly assignee: string;
  readonly team: string;
  readonly received: string;
  readonly asked: string;
  readonly answered: string;
  readonly closed: string;
  readonly keep: string;
  readonly languages: string;
  readonly missing: { readonly title: string; readonly text: string };
  readonly tooOften: { readonly title: string; readonly text: string };
  readonly failed: { readonly title: string; readonly text: string };
}

const en: StatusTexts = {
  name: 'English',
  locale: 'en-GB',
  request: (number) => `Request No. ${number}`,
  steps: ['Received', 'In progress', 'Done'],
  stages: {
    new: { title: 'Received', text: 'Your request has reached us. It is waiting for its turn.' },
    open: { title: 'In progress', text: 'We are working on your request.' },
    pending: {
      title: 'Waiting',
      text: 'We need something before we can go on. If we have asked you something, please answer where you wrote to us.',
    },
    solved: { title: 'Solved', text: 'We think that this is done. If it is not, write again where you wrote to us.' },
    closed: { title: 'Closed', text: 'This request is closed. If something is left, please write to us again.' },
  },
  continued: (number) => `It goes on together with your request No. ${number}.`,
  subject: 'Subject',
  assignee: 'Who works on it',
  team: 'Team',
  received: 'Received',
  asked: 'Your last message',
  answered: 'Our last answer',
  closed: 'Finished',
  keep: 'Whoever has the address of this page can see it. To see what is new, open it again.',
  languages: 'Language',
  missing: {
    title: 'There is no such page',
    text: 'The address is not complete, or the page is no longer there. Please open the link just as you got it.',
  },
  tooOften: { title: 'Too often', text: 'This was opened too often from your network. Please try again in a minute.' },
  failed: { title: 'Not at the moment', text: 'The page can not be shown now. Please try again in a minute.' },
};

const uk: StatusTexts = {
  name: 'Українська',
  locale: 'uk',
  request: (number) => `Звернення № ${number}`,
  steps: ['Отримано', 'У роботі', 'Готово'],
  stages: {
    new: { title: 'Отримано', text: 'Ми отримали ваше звернення. Воно чекає на свою чергу.' },
    open: { title: 'У роботі', text: 'Ми працюємо над вашим зверненням.' },
    pending: {
      title: 'Очікує',
      text: 'Щоб продовжити, нам дечого бракує. Якщо ми вас про щось запитали, дайте відповідь там, звідки ви писали.',
    },
    solved: {
      title: 'Вирішено',
      text: 'Ми вважаємо, що все готово. Якщо це не так, напишіть ще раз там, звідки ви писали.',
    },
    closed: { title: 'Закрито', text: 'Це звернення закрите. Якщо щось залишилося, напишіть нам іще раз.' },
  },
  continued: (number) => `Його розглядаємо разом із вашим зверненням № ${number}.`,
  subject: 'Тема',
  assignee: 'Хто займається',
  team: 'Команда',
  received: 'Отримано',
  asked: 'Ваше останнє повідомлення',
  answered: 'Наша остання відповідь',
  closed: 'Завершено',
  keep: 'Цю сторінку бачить кожен, хто має її адресу. Щоб побачити новини, відкрийте її ще раз.',
  languages: 'Мова',
  missing: {
    title: 'Такої сторінки немає',
    text: 'Адреса неповна, або сторінки вже немає. Відкрийте, будь ласка, посилання саме таким, яким ви його отримали.',
  },
  tooOften: {
    title: 'Забагато разів',
    text: 'З вашої мережі сторінку відкривали надто часто. Спробуйте, будь ласка, за хвилину.',
  },
  failed: { title: 'Не зараз', text: 'Зараз сторінку не вдається показати. Спробуйте, будь ласка, за хвилину.' },
};

const ru: StatusTexts = {
  name: 'Русский',
  locale: 'ru',
  request: (number) => `Обращение № ${number}`,
  steps: ['Получено', 'В работе', 'Готово'],
  stages: {
    new: { title: 'Получено', text: 'Мы получили ваше обращение. Оно ждёт своей очереди.' },
    open: { title: 'В работе', text: 'Мы работаем над вашим обращением.' },
    pending: {
      title: 'Ожидает',
      text: 'Чтобы продолжить, нам кое-чего не хватает. Если мы вас о чём-то спросили, ответьте там, откуда вы писали.',
    },
    solved: {
      title: 'Решено',
      text: 'Мы считаем, что всё готово. Если это не так, напишите ещё раз там, откуда вы писали.',
    },
    closed: { title: 'Закрыто', text: 'Это обращение закрыто. Если что-то осталось, напишите нам ещё раз.' },
  },
  continued: (number) => `Его рассматриваем вместе с вашим обращением № ${number}.`,
  subject: 'Тема',
  assignee: 'Кто занимается',
  team: 'Команда',
  received: 'Получено',
  asked: 'Ваше последнее сообщение',
  answered: 'Наш последний ответ',
  closed: 'Завершено',
  keep: 'Эту страницу видит каждый, у кого есть её адрес. Чтобы увидеть новости, откройте её ещё раз.',
  languages: 'Язык',
  missing: {
    title: 'Такой страницы нет',
    text: 'Адрес неполный, или страницы уже нет. Откройте, пожалуйста, ссылку именно такой, какой вы её получили.',
  },
  tooOften: {
    title: 'Слишком часто',
    text: 'Из вашей сети страницу открывали слишком часто. Попробуйте, пожалуйста, через минуту.',
  },
  failed: { title: 'Не сейчас', text: 'Сейчас страницу не удаётся показать. Попробуйте, пожалуйста, через минуту.' },
};

export const statusTexts: Readonly<Record<Language, StatusTexts>> = { uk, ru, en };
