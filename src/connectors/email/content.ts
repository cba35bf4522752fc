import type { EnvelopeInput } from '../../core/envelope.ts';
import type { Mail } from './mail.ts';
import type { PassedOn } from './passed-on.ts';

/** What a mail says: the new part of it, with the whole where that is more. */
export function contentOf(
  mail: Mail,
  passedOn: PassedOn | undefined,
): Pick<EnvelopeInput, 'subject' | 'text' | 'textFull'> {
  const text = passedOn ? passedOn.reply || passedOn.text : newIn(mail);
  // An attached mail isn't in the text; what stands above it is a note.
  const whole = passedOn && !mail.forward ? passedOn.text : mail.text;
  const subject = passedOn?.subject || mail.subject;
  return {
    subject: subject.slice(0, 1000).toWellFormed(),
    text,
    ...(whole.trim() !== '' && text !== whole.trim() && { textFull: whole }),
  };
}

/** What a customer passes on is what he wants to say. */
function newIn({ reply, text, event, forward, files }: Mail): string {
  if (forward) return text.trim();
  if (text.trim() === '') return event;
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
