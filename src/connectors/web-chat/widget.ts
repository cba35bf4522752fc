import { widgetPage } from './widget-page.ts';
import { widgetStyle } from './widget-style.ts';
import { widgetTalk } from './widget-talk.ts';

export interface WidgetSettings {
  readonly channel: string;
  readonly title?: string;
  readonly greeting?: string;
  readonly maxFiles: number;
  readonly maxFileBytes: number;
}

/** What visitors read. `{n}` and `{mb}` are put in by the script. */
const TEXTS = {
  en: {
    title: 'Chat with us',
    close: 'Close the chat',
    message: 'Your message',
    send: 'Send',
    attach: 'Add files',
    waiting: 'Will be sent once you are online',
    failed: 'Could not be sent',
    typing: 'Somebody is writing…',
    unread: '{n} unread',
    files: 'At most {n} files of {mb} MB',
    you: 'You',
    us: 'Answer',
    log: 'Conversation',
    email: 'Your e-mail, should you leave before we answer (optional)',
  },
  uk: {
    title: 'Напишіть нам',
    close: 'Закрити чат',
    message: 'Ваше повідомлення',
    send: 'Надіслати',
    attach: 'Додати файли',
    waiting: 'Буде надіслано, щойно з’явиться зв’язок',
    failed: 'Не вдалося надіслати',
    typing: 'Вам пишуть…',
    unread: 'непрочитаних: {n}',
    files: 'Не більше {n} файлів по {mb} МБ',
    you: 'Ви',
    us: 'Відповідь',
    log: 'Розмова',
    email: 'Ваша пошта, якщо підете раніше, ніж ми відповімо (необов’язково)',
  },
  ru: {
    title: 'Напишите нам',
    close: 'Закрыть чат',
    message: 'Ваше сообщение',
    send: 'Отправить',
    attach: 'Добавить файлы',
    waiting: 'Будет отправлено, как только появится связь',
    failed: 'Не удалось отправить',
    typing: 'Вам пишут…',
    unread: 'непрочитанных: {n}',
    files: 'Не больше {n} файлов по {mb} МБ',
    you: 'Вы',
    us: 'Ответ',
    log: 'Переписка',
    email: 'Ваша почта, если уйдёте раньше, чем мы ответим (необязательно)',
  },
};

/** The script of `widget.js`: the chat in the corner of the page that its `<script>` stands in. */
export function widgetScript(settings: WidgetSettings): string {
  const given = JSON.stringify({ ...settings, texts: TEXTS, style: widgetStyle }).replace(
    /[<>\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `'use strict';\n(function (given) {\n${widgetTalk}${widgetPage}})(${given});\n`;
}
