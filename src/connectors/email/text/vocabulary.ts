/** What mail programs write around quotes, by language; everything in lower case. */

/** `wrote`: some of these stand in a line that introduces a quote. */
export const WROTE = new Set([
  ...['wrote', 'writes', 'schrieb', 'schreibt', 'écrit', 'ecrit', 'escribió', 'escribio', 'escreveu', 'scritto'],
  ...['napisał', 'napisała', 'napisał(a)', 'pisze', 'написал', 'написала', 'написал(а)', 'написали', 'пишет', 'писал'],
  ...['написав', 'написав(ла)', 'пише', 'писав', 'пишуть', 'schreef', 'geschreven', 'skrev', 'kirjoitti'],
  ...['napsal', 'napsal(a)', 'napísal', 'napísal(a)', 'írta', 'scris', 'yazdı', 'написа', 'napisao', 'napisao/la'],
  ...['写道', '寫道', 'έγραψε', 'kirjutas', 'rašė', 'rakstīja'],
]);

/** How a line begins that introduces a quote, when a date follows. */
export const ON = new Set([
  ...['on', 'at', 'am', 'le', 'el', 'em', 'il', 'op', 'den', 'dne', 'dňa', 'dnia', 'w', 'на', 'у', 'в', 'во', 'від'],
  ...['o', 'pe', 'på', 'dana', 'στις', '于', '在', 'vào', 'quoting', 'сообщение', 'повідомлення'],
]);

export type Label = 'from' | 'to' | 'cc' | 'date' | 'subject' | 'other';

const LABELS_OF: Readonly<Record<Label, readonly string[]>> = {
  from: [
    ...['from', 'von', 'de', 'da', 'od', 'od kogo', 'van', 'från', 'fra', 'lähettäjä', 'feladó', 'от', 'от кого'],
    ...['від', 'від кого', 'отправитель', 'відправник', 'kimden', 'gönderen', 'expeditor', 'expeditorul', 'de la'],
    ...['šalje', '发件人', '寄件者', '差出人', '送信元', 'saatja', 'nuo', 'no', 'mittente', 'adresant', 'ад'],
  ],
  to: [
    ...['to', 'an', 'à', 'a', 'para', 'do', 'komu', 'aan', 'naar', 'till', 'til', 'vastaanottaja', 'címzett', 'кому'],
    ...['получатель', 'одержувач', 'kime', 'alıcı', 'destinatar', 'destinatarul', 'către', 'prima', '收件人', '宛先'],
    ...['送信先', 'saaja', 'destinatario', 'pour', 'adresat', 'pre'],
  ],
  cc: [
    ...['cc', 'kopie', 'kopia', 'kopi', 'kopio', 'копия', 'копія', 'másolatot kap', 'másolat', 'kópia', 'dw', 'bilgi'],
    ...['抄送', 'copie', 'copia', 'cópia', 'kopija', 'bcc', 'скрытая копия', 'прихована копія', 'udw', 'ccn', 'cci'],
  ],
  date: [
    ...['date', 'sent', 'datum', 'gesendet', 'envoyé', 'envoyé le', 'fecha', 'enviado', 'enviado el', 'enviada em'],
    ...['data', 'inviato', 'wysłano', 'data wysłania', 'дата', 'отправлено', 'надіслано', 'відправлено', 'verzonden'],
    ...['skickat', 'skickat den', 'sendt', 'dato', 'lähetetty', 'päivämäärä', 'odesláno', 'odoslané', 'dátum'],
    ...[
      'elküldve',
      'küldve',
      'tarih',
      'gönderildi',
      'trimis',
      'dată',
      '发送时间',
      '日期',
      '送信日時',
      '日付',
      'poslano',
    ],
    ...['enviada', 'sent at', 'date sent', 'дата отправки', 'дата відправлення', 'час', 'gesendet am'],
  ],
  subject: [
    ...['subject', 'betreff', 'objet', 'asunto', 'assunto', 'oggetto', 'temat', 'тема', 'onderwerp', 'ämne', 'emne'],
    ...['aihe', 'předmět', 'predmet', 'tárgy', 'konu', 'subiect', 'subiectul', '主题', '主旨', '件名', 'teema'],
  ],
  other: [
    ...[
      'reply-to',
      'antwort an',
      'répondre à',
      'responder a',
      'risposta',
      'rispondi a',
      'responder para',
      'importance',
    ],
    ...['priority', 'wichtigkeit', 'priorität', 'attachments', 'anlagen', 'anhänge', 'organization', 'odpowiedz do'],
    ...['кому ответить', 'відповісти', 'ответить', 'приоритет', 'важность', 'mailed-by', 'signed-by', 'antwoord aan'],
  ],
};

/** Names of header lines as programs write them into a quote, without the colon. */
export const LABELS: ReadonlyMap<string, Label> = new Map(
  Object.entries(LABELS_OF).flatMap(([label, names]) => names.map((name) => [name, label as Label] as const)),
);

/** Lines that announce the mail that is answered. */
export const ORIGINAL: readonly string[] = [
  ...['original message', 'originalnachricht', 'original-nachricht', 'ursprüngliche nachricht', 'message original'],
  ...["message d'origine", 'message d’origine', 'message initial', 'mensaje original', 'mensagem original'],
  ...['messaggio originale', 'oorspronkelijk bericht', 'origineel bericht', 'oprindelig meddelelse'],
  ...['opprinnelig melding', 'originalmeddelande', 'ursprungligt meddelande', 'alkuperäinen viesti'],
  ...['wiadomość oryginalna', 'oryginalna wiadomość', 'původní zpráva', 'pôvodná správa', 'eredeti üzenet'],
  ...['исходное сообщение', 'оригинальное сообщение', 'первоначальное сообщение', 'вихідне повідомлення'],
  ...['оригінальне повідомлення', 'початкове повідомлення', 'вихідний лист', 'orijinal mesaj', 'özgün ileti'],
  ...[
    'mesaj original',
    'mesajul original',
    '原始邮件',
    '邮件原件',
    '原始郵件',
    '元のメッセージ',
    'original appointment',
  ],
];

/** Lines that announce a mail that is passed on. */
export const FORWARDED: readonly string[] = [
  ...['forwarded message', 'begin forwarded message', 'weitergeleitete nachricht', 'mensaje reenviado'],
  ...['anfang der weitergeleiteten nachricht', 'message transféré', 'début du message transféré'],
  ...['début du message réexpédié', 'inicio del mensaje reenviado', 'messaggio inoltrato', 'mensagem encaminhada'],
  ...['inizio messaggio inoltrato', 'início da mensagem encaminhada', 'início da mensagem reencaminhada'],
  ...['mensagem reencaminhada', 'doorgestuurd bericht', 'begin doorgestuurd bericht', 'wiadomość przesłana dalej'],
  ...['przekazana wiadomość', 'wiadomość przekazana', 'początek przekazywanej wiadomości', 'пересылаемое сообщение'],
  ...['пересланное сообщение', 'начало переадресованного сообщения', 'перенаправленное сообщение'],
  ...['переслане повідомлення', 'перенаправлене повідомлення', 'пересланий лист', 'початок листа, що пересилається'],
  ...['початок переадресованого повідомлення', 'лист, що пересилається', 'vidarebefordrat meddelande'],
  ...['vidarebefordrat mejl', 'videresendt melding', 'videresendt meddelelse', 'start på videresendt besked'],
  ...['välitetty viesti alkaa', 'edelleenlähetetty viesti', 'začátek přeposílané zprávy', 'přeposlaná zpráva'],
  ...['začiatok preposlanej správy', 'preposlaná správa', 'továbbított levél kezdete', 'továbbított üzenet'],
  ...['započni proslijeđenu poruku', 'proslijeđena poruka', 'începe mesajul redirecționat', 'mesaj redirecționat'],
  ...['i̇leti başlangıcı', 'ileti başlangıcı', 'iletilen mesaj', 'yönlendirilmiş ileti', 'メッセージを転送'],
  ...['転送されたメッセージ', '转发的邮件', '轉寄郵件'],
];

/** Before a subject: what answers begin with, and what forwards begin with. */
export const REPLY_PREFIXES = new Set([
  ...['re', 'aw', 'antw', 'antwort', 'sv', 'vs', 'odp', 'отв', 'ответ', 'на', 'ha', 'відп', 'відповідь', 'rif'],
  ...['rép', 'res', 'ynt', 'yan', 'vá', 'atb', 'odg', 'απ', '回复', '回覆', '答复'],
]);
export const FORWARD_PREFIXES = new Set([
  ...['fw', 'fwd', 'wg', 'tr', 'rv', 'i', 'enc', 'pd', 'vb', 'vs', 'vl', 'vl.', 'videresend', 'fs', 'doorst', 'i̇lt'],
  ...[
    'ilt',
    'redir',
    'redir.',
    'továbbítás',
    'tov',
    'пересл',
    'пересылка',
    'пер',
    'fwd.',
    '转发',
    '轉寄',
    '転送',
    'trs',
  ],
]);
