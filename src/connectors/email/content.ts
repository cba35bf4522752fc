import type { EnvelopeInput } from '../../core/envelope.ts';
import type { Mail } from './mail.ts';
import type { PassedOn } from './passed-on.ts';

/** What a mail says: the new part of it, with the whole where that is more. */
export function contentOf(
  mail: Mail,
  passedOn: PassedOn | undefined,
): Pick<EnvelopeInput, 'subject' | 'text' | 'textFull'> {
  const text = passedOn ? passedOn.reply || passedOn.text : newIn(mail);
  const subject = passedOn?.subject || mail.subject;
  return {
    subject: subject.slice(0, 1000).toWellFormed(),
    text,
    ...(text !== mail.text.trim() && { textFull: mail.text }),
  };
}

/** What a customer passes on is what he wants to say. */
function newIn({ reply, text, forward, files }: Mail): string {
  if (forward) return text.trim();
  const isOnlyFiles = files.some(({ inline }) => !inline);
  return reply === '' && !isOnlyFiles ? text.trim() : reply;
}

/** For people: who passed it on, and with what words. */
export function passedOnFields(passedOn: PassedOn | undefined): Record<string, string> {
  if (!passedOn) return {};
  const { by, note, date } = passedOn;
  return {
    forwardedBy: by.name === '' ? by.address : `${by.name} <${by.address}>`,
    forwardNote: note,
    forwardDate: date,
  };
}
