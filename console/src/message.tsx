import { Icon, iconOf } from './icons.tsx';
import type { IconName } from './icons.tsx';
import { may } from './may.ts';
import { useParts, useTexts } from './parts.ts';
import { topOf } from './place.ts';
import type { Texts } from './texts.ts';
import { Text } from './text.tsx';
import { longTime, shortTime } from './time.ts';
import type { Message } from './views.ts';

/** Fields that say how it came here rather than what was meant. */
const TECHNICAL = /^(ip|userAgent|page|referrer|utm_.*)$/;

/** One message, answer, or note. */
export function MessageView({ message }: { readonly message: Message }) {
  const { session } = useParts();
  const { t, language } = useTexts();
  const { kind, direction, channel, occurredAt } = message;
  const author = authorOf(message, session.id, t);
  const through = kind === 'note' ? t.note : (channel?.id ?? t.kinds[kind]);
  const side = kind === 'note' ? 'note' : direction;
  return (
    <article class={`message ${side}`} aria-label={`${author}, ${through}, ${longTime(occurredAt, language)}`}>
      <header>
        <b dir="auto">{author}</b>
        <span class="through">
          <Icon name={iconFor(message)} /> <span>{through}</span>
        </span>
        {direction === 'inbound' && !message.verified && (
          <span class="chip" title={t.unverifiedWhy}>
            {t.unverified}
          </span>
        )}
        {message.automatic !== null && <span class="chip">{t.automatic}</span>}
        <time dateTime={occurredAt} title={longTime(occurredAt, language)}>
          {shortTime(occurredAt, language)}
        </time>
      </header>
      {message.deletedAt === null ? <Content message={message} /> : <p class="deleted">{t.deleted}</p>}
      <footer>
        <Delivery message={message} />
        <Details message={message} />
      </footer>
    </article>
  );
}

function authorOf({ author, direction, kind, automatic }: Message, ownId: string, t: Texts): string {
  if (direction === 'inbound') return author.name ?? author.identifiers[0]?.value ?? t.unnamed;
  if (automatic !== null) return t.program;
  if (author.name === ownId) return t.you;
  if (author.name?.startsWith('key:')) return t.program;
  return author.name === null || author.name.startsWith('user:') || kind === 'note' ? t.colleague : author.name;
}

function iconFor({ kind, channel }: Message): IconName {
  if (kind === 'note') return 'note';
  if (kind === 'call') return 'call';
  if (kind === 'review') return 'star';
  return iconOf(channel?.type ?? '');
}

function Content({ message }: { readonly message: Message }) {
  const { t } = useTexts();
  const { call, review, subject, text, textFull, attachments } = message;
  const fields = Object.entries(message.fields).filter(([name]) => !TECHNICAL.test(name));
  return (
    <>
      {call && (
        <p class="event">
          {t.call}: {t.outcomes[call.outcome]}
          {call.talkedSec !== undefined && ` · ${t.seconds(call.talkedSec)}`}
          {call.from && ` · ${call.from}`}
        </p>
      )}
      {review && (
        <p class="event" dir="auto">
          {[t.rating(review.rating, review.maxRating), review.product, review.order].filter(Boolean).join(' · ')}
        </p>
      )}
      {subject !== null && (
        <p class="topic" dir="auto">
          {subject}
        </p>
      )}
      {text !== '' && <Text text={text} />}
      {textFull !== null && textFull !== text && (
        <details>
          <summary>{t.fullText}</summary>
          <Text text={textFull} />
        </details>
      )}
      {fields.length > 0 && <Pairs pairs={fields} />}
      {attachments.length > 0 && <Files files={attachments} />}
    </>
  );
}

function Pairs({ pairs }: { readonly pairs: readonly (readonly [string, string])[] }) {
  return (
    <dl>
      {pairs.map(([name, value]) => (
        <div key={name}>
          <dt dir="auto">{name}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Files({ files }: { readonly files: Message['attachments'] }) {
  const { t, language } = useTexts();
  const format = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  return (
    <ul class="files">
      {files.map(({ id, name, size, state, error, url }) => (
        <li key={id}>
          <Icon name="clip" />
          {state === 'stored' && url.startsWith('/api/') ? (
            <a href={url} download={name} dir="auto">
              {name}
            </a>
          ) : (
            <span dir="auto">{name}</span>
          )}
          {size !== null && <small>{format.format(Math.ceil(size / 102.4) / 10)} KB</small>}
          {state === 'waiting' && <small>{t.fileWaiting}</small>}
          {state === 'failed' && (
            <small class="bad">
              {t.fileFailed}
              {error !== null && `: ${error}`}
            </small>
          )}
        </li>
      ))}
    </ul>
  );
}

const stateIcons = {
  waiting: 'clock',
  sent: 'check',
  delivered: 'checks',
  read: 'checks',
  failed: 'alert',
  replaced: 'clock',
} as const;

function Delivery({ message: { delivery } }: { readonly message: Message }) {
  const { t } = useTexts();
  if (!delivery) return null;
  return (
    <span class="delivery" data-state={delivery.state}>
      <Icon name={stateIcons[delivery.state]} /> {t.deliveries[delivery.state]}
      {delivery.error !== null && `: ${delivery.error}`}
    </span>
  );
}

function Details({ message }: { readonly message: Message }) {
  const { route, session } = useParts();
  const { t, language } = useTexts();
  const seesEvents = may(session, 'events:read');
  const { threadedBy, externalId, revision, receivedAt, fields, author, direction } = message;
  const { rule, evidence } = threadedBy;
  const facts: (readonly [string, string])[] = [
    ...(evidence && rule !== 'agent' ? [[t.evidence, evidence] as const] : []),
    [t.received, longTime(receivedAt, language)],
    ...(externalId === null ? [] : [[t.externalId, externalId] as const]),
    ...(revision > 0 ? [[t.revision, String(revision)] as const] : []),
    ...author.identifiers.map(({ kind, value, trust }) => [kind, `${value} (${trust})`] as const),
    ...Object.entries(fields).filter(([name]) => TECHNICAL.test(name)),
  ];
  return (
    <details class="why">
      <summary>{t.details}</summary>
      <p>{t.rules[rule]}</p>
      {direction === 'inbound' && !message.verified && <p>{t.unverifiedWhy}</p>}
      <Pairs pairs={facts} />
      {direction === 'inbound' && seesEvents && (
        <p>
          <a {...route.link({ ...topOf('events'), id: message.id })}>{t.wholeWay}</a>
        </p>
      )}
    </details>
  );
}
