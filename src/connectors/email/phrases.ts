/** What machines write in subjects and texts where their headers are silent, in the languages that we have seen. */

/** So much of a text shows what it is. */
const BEGINNING = 2000;

/** Programs put it before the subject that they answer; nobody begins a mail of his own so. */
const ANSWERS = [
  /^auto(?:matic)?[ -]?(?:reply|response) ?(?:[:(-]|$)/iu,
  /^(?:автоматична відповідь|автовідповідь|автоматический ответ|автоответ(?:чик)?|автоматичен отговор) ?(?:[:(-]|$)/iu,
  /^(?:automatische antwort|abwesenheitsnotiz|automatisch antwoord|automatiskt? svar|autosvar) ?(?:[:(-]|$)/iu,
  /^(?:réponse automatique|risposta automatica|resposta automática|respuesta automática|răspuns automat) ?(?:[:(-]|$)/iu,
  /^(?:automatyczna odpowiedź|odpowiedź automatyczna|autoodpowiedź|automatická odpověď) ?(?:[:(-]|$)/iu,
  /^(?:automaattinen vastaus|otomatik yanıt|automatikus válasz|自動応答|自动答复) ?(?:[:：(-]|$)/iu,
];

/** Somebody may also write about it: it takes words of the text as well. */
const AWAY_SUBJECT =
  /^(?:out of (?:the )?office|ooo|vacation|away from|on leave|відсутн|відпустка|поза офісом|отсутств|отпуск|вне офиса|abwesen|außer haus|absen[tc]|message d.absence|fuera de|ausente|nieobecn|poza biurem|urlop|afwezig|fuori|ausência)/iu;
const AWAY_TEXT =
  /out of (?:the |my )?office|away from (?:the |my )|on (?:annual |parental |maternity |sick )?(?:leave|vacation|holiday)|limited access to (?:my )?e?-?mail|відсутн|у відпустці|поза офісом|отсутств|в отпуске|вне офиса|nicht im (?:büro|haus)|abwesen|im urlaub|absent|en congé|en vacances|fuera de la oficina|de vacaciones|ausente|nieobecn|na urlopie|poza biurem|afwezig|fuori (?:sede|ufficio)|ausente/iu;

/** Programs write a colon, and then the subject that they answer. */
export function isAnswerSubject(subject: string): boolean {
  const line = subject.trim();
  return ANSWERS.some((pattern) => /[:：]$/.test(pattern.exec(line)?.[0] ?? ''));
}

/** What people also write, of answering machines and of what is missing: only of a mail that answers something. */
export function mayBeAnswer(subject: string, text: string): boolean {
  const line = subject.trim();
  return (
    ANSWERS.some((pattern) => pattern.test(line)) ||
    (AWAY_SUBJECT.test(line) && AWAY_TEXT.test(text.slice(0, BEGINNING)))
  );
}

const NOT_DELIVERED =
  /undeliver|delivery (?:status notification|failure|failed|has failed|incomplete)|mail (?:delivery|failure|failed|system error)|returned mail|failure notice|(?:could|can) ?not be delivered|did not reach|unable to deliver|not delivered|error sending your mail|delayed mail|не удалось доставить|не ?доставлен|не може(?:мо)? доставити|unzustellbar|nicht zugestellt|non remis|non distribu|no se (?:ha )?(?:podido|puede) entregar|no entregado|nie (?:można|udało się) dostarczyć|niedostarcz|配信できません|送信できませんでした/iu;

export function isBounceSubject(subject: string): boolean {
  return NOT_DELIVERED.test(subject);
}

export function isBounceText(text: string): boolean {
  return NOT_DELIVERED.test(text.slice(0, BEGINNING));
}

const STILL_TRYING =
  /delay|warning: |still (?:being )?(?:trying|retried)|not yet been delivered|затрим|задерж|verzögert|retardé|retras|opóźni/iu;

/** Nothing is lost yet. */
export function isDelay(subject: string): boolean {
  return STILL_TRYING.test(subject);
}
