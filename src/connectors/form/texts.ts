import type { Language } from '../../core/wished-language.ts';
import type { Field } from './config.ts';

/** Everything a visitor reads, in one language. */
export interface Texts {
  readonly title: string;
  readonly button: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly optional: string;
  readonly either: (labels: readonly string[]) => string;
  readonly filesHint: (count: number, megabytes: string) => string;
  readonly filesAgain: string;
  readonly choose: string;
  readonly trap: string;
  readonly problems: string;
  readonly errorPrefix: string;
  readonly required: string;
  readonly tooLong: (most: number) => string;
  readonly email: string;
  readonly phone: string;
  readonly option: string;
  readonly refused: string;
  readonly foreign: string;
  readonly tooLarge: (count: number, megabytes: string) => string;
  readonly wrongType: string;
  readonly tooFast: string;
  readonly later: string;
  readonly sent: string;
  readonly thanks: string;
  readonly number: string;
  readonly another: string;
  readonly follow: string;
  readonly followHint: string;
}

const en: Texts = {
  title: 'Contact us',
  button: 'Send',
  labels: {
    name: 'Your name',
    email: 'E-mail',
    phone: 'Phone',
    message: 'Message',
    subject: 'Subject',
    files: 'Files',
  },
  optional: 'optional',
  either: (labels) => `So that we can answer, fill in at least one: ${labels.join(', ')}.`,
  filesHint: (count, megabytes) => `Up to ${count} files, ${megabytes} MB each.`,
  filesAgain: 'Please choose your files again.',
  choose: 'Please choose',
  trap: 'Leave this empty',
  problems: 'Please check the form',
  errorPrefix: 'Error',
  required: 'Please fill this in.',
  tooLong: (most) => `This is too long: at most ${most} characters.`,
  email: 'Please write an e-mail address such as name@example.com.',
  phone: 'Please write a phone number with its code, such as +380 67 123 45 67.',
  option: 'Please choose one from the list.',
  refused: 'This could not be read. Please send the form again.',
  foreign: 'This form may not be sent from that site.',
  tooLarge: (count, megabytes) => `The files are too large or too many: at most ${count}, ${megabytes} MB each.`,
  wrongType: 'This could not be read: unknown kind of content.',
  tooFast: 'Too many messages from your network. Please try again in a minute.',
  later: 'We could not save your message. Please try again in a minute.',
  sent: 'Sent',
  thanks: 'Thank you! Your message has reached us.',
  number: 'Number of your request',
  another: 'Write another message',
  follow: 'See how your request is doing',
  followHint: 'Opens in a new tab. Keep its address: it leads back there at any time.',
};

const uk: Texts = {
  title: 'Напишіть нам',
  button: 'Надіслати',
  labels: {
    name: 'Ваше ім’я',
    email: 'Електронна пошта',
    phone: 'Телефон',
    message: 'Повідомлення',
    subject: 'Тема',
    files: 'Файли',
  },
  optional: 'необов’язково',
  either: (labels) => `Щоб ми могли відповісти, заповніть хоча б одне: ${labels.join(', ')}.`,
  filesHint: (count, megabytes) => `Файлів: до ${count}, кожен до ${megabytes} МБ.`,
  filesAgain: 'Будь ласка, виберіть файли ще раз.',
  choose: 'Виберіть',
  trap: 'Залиште це порожнім',
  problems: 'Перевірте, будь ласка, форму',
  errorPrefix: 'Помилка',
  required: 'Будь ласка, заповніть це поле.',
  tooLong: (most) => `Задовгий текст: щонайбільше ${most} символів.`,
  email: 'Напишіть адресу пошти на зразок name@example.com.',
  phone: 'Напишіть номер телефону з кодом, наприклад +380 67 123 45 67.',
  option: 'Будь ласка, виберіть зі списку.',
  refused: 'Не вдалося прочитати. Будь ласка, надішліть форму ще раз.',
  foreign: 'Цю форму не можна надсилати з того сайту.',
  tooLarge: (count, megabytes) => `Файли завеликі або їх забагато: щонайбільше ${count}, кожен до ${megabytes} МБ.`,
  wrongType: 'Не вдалося прочитати: невідомий вид вмісту.',
  tooFast: 'Забагато повідомлень із вашої мережі. Спробуйте, будь ласка, за хвилину.',
  later: 'Не вдалося зберегти повідомлення. Спробуйте, будь ласка, за хвилину.',
  sent: 'Надіслано',
  thanks: 'Дякуємо! Ми отримали ваше повідомлення.',
  number: 'Номер вашого звернення',
  another: 'Написати ще одне повідомлення',
  follow: 'Подивитися, що з вашим зверненням',
  followHint: 'Відкриється в новій вкладці. Збережіть її адресу: за нею можна повернутися будь-коли.',
};

const ru: Texts = {
  title: 'Напишите нам',
  button: 'Отправить',
  labels: {
    name: 'Ваше имя',
    email: 'Электронная почта',
    phone: 'Телефон',
    message: 'Сообщение',
    subject: 'Тема',
    files: 'Файлы',
  },
  optional: 'необязательно',
  either: (labels) => `Чтобы мы могли ответить, заполните хотя бы одно: ${labels.join(', ')}.`,
  filesHint: (count, megabytes) => `Файлов: до ${count}, каждый до ${megabytes} МБ.`,
  filesAgain: 'Пожалуйста, выберите файлы ещё раз.',
  choose: 'Выберите',
  trap: 'Оставьте это пустым',
  problems: 'Проверьте, пожалуйста, форму',
  errorPrefix: 'Ошибка',
  required: 'Пожалуйста, заполните это поле.',
  tooLong: (most) => `Слишком длинный текст: не больше ${most} символов.`,
  email: 'Напишите адрес почты, например name@example.com.',
  phone: 'Напишите номер телефона с кодом, например +380 67 123 45 67.',
  option: 'Пожалуйста, выберите из списка.',
  refused: 'Не удалось прочитать. Пожалуйста, отправьте форму ещё раз.',
  foreign: 'Эту форму нельзя отправлять с того сайта.',
  tooLarge: (count, megabytes) =>
    `Файлы слишком большие или их слишком много: не больше ${count}, каждый до ${megabytes} МБ.`,
  wrongType: 'Не удалось прочитать: неизвестный вид содержимого.',
  tooFast: 'Слишком много сообщений из вашей сети. Попробуйте, пожалуйста, через минуту.',
  later: 'Не удалось сохранить сообщение. Попробуйте, пожалуйста, через минуту.',
  sent: 'Отправлено',
  thanks: 'Спасибо! Мы получили ваше сообщение.',
  number: 'Номер вашего обращения',
  another: 'Написать ещё одно сообщение',
  follow: 'Посмотреть, что с вашим обращением',
  followHint: 'Откроется в новой вкладке. Сохраните её адрес: по нему можно вернуться в любое время.',
};

const byLanguage: Readonly<Record<Language, Texts>> = { uk, ru, en };

export function textsOf(language: Language): Texts {
  return byLanguage[language];
}

/** What stands above a field. */
export function labelOf(field: Field, texts: Texts): string {
  return field.label ?? (Object.hasOwn(texts.labels, field.name) ? texts.labels[field.name] : undefined) ?? field.name;
}

/** A size as people read it: megabytes with one digit behind the point at most. */
export function megabytesOf(bytes: number): string {
  return String(Math.max(0.1, Math.round((bytes / 1024 / 1024) * 10) / 10));
}
