import { useRef, useState } from 'preact/hooks';
import { newKey } from './api.ts';
import { useCell } from './cell.ts';
import { problemText } from './failure.ts';
import { keptInTab } from './kept.ts';
import { useParts, useTexts } from './parts.ts';
import type { Box } from './parts.ts';
import type { Texts } from './texts.ts';
import { longTime } from './time.ts';
import type { ReplyChannel, TicketView } from './views.ts';

const LONGEST = 100_000;
const boxes: readonly Box[] = ['reply', 'note'];

/** The box to answer or leave a note in. What is typed survives a reload. */
export function Answer({ ticket }: { readonly ticket: TicketView }) {
  const { box } = useParts();
  const { t } = useTexts();
  const chosen = useCell(box);
  return (
    <div class="answer" data-box={chosen}>
      <div class="boxes" role="group">
        {boxes.map((one) => (
          <button key={one} aria-pressed={one === chosen} onClick={() => box.set(one)}>
            {t[one]}
          </button>
        ))}
      </div>
      <Writing key={`${ticket.id} ${chosen}`} ticket={ticket} box={chosen} />
    </div>
  );
}

function Writing({ ticket, box }: { readonly ticket: TicketView; readonly box: Box }) {
  const { conversation } = useParts();
  const { t, language } = useTexts();
  const [text, write] = useDraft(`draft ${box} ${ticket.id}`);
  const [wanted, setWanted] = useState<string | undefined>();
  const [phase, setPhase] = useState<'writing' | 'sending'>('writing');
  const [problem, setProblem] = useState<string | undefined>();
  // The same text sent again after a failure is the same answer: it must not arrive twice.
  const attempt = useRef<{ readonly what: string; readonly key: string } | undefined>(undefined);

  const channels = ticket.replyChannels;
  const channel = channels.find((one) => one.channel === wanted) ?? channels.find(({ allowed }) => allowed);
  const closed = box === 'reply' && !channel?.allowed;
  const sendable = phase === 'writing' && text.trim() !== '' && !closed;

  async function send(): Promise<void> {
    if (!sendable) return;
    const what = `${channel?.channel ?? ''}\n${text}`;
    if (attempt.current?.what !== what) attempt.current = { what, key: newKey() };
    const { key } = attempt.current;
    setPhase('sending');
    setProblem(undefined);
    try {
      if (box === 'note') await conversation.note(ticket.id, text, key);
      else if (channel) await conversation.reply(ticket.id, { text, channel: channel.channel }, key);
      attempt.current = undefined;
      write('');
    } catch (error) {
      setProblem(problemText(error, t));
    }
    setPhase('writing');
  }

  const label = box === 'reply' ? t.replyLabel : t.noteLabel;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {box === 'reply' && <Channels channels={channels} chosen={channel} choose={setWanted} language={language} />}
      <textarea
        id="answer"
        rows={3}
        maxLength={longestOf(box, channel)}
        dir="auto"
        aria-label={label}
        placeholder={label}
        value={text}
        disabled={closed}
        readOnly={phase === 'sending'}
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (!asksToSend(event)) return;
          event.preventDefault();
          void send();
        }}
      />
      <div class="send">
        <p role="alert" class="problem">
          {problem}
        </p>
        <small>{box === 'note' ? t.noteHint : t.sendHint}</small>
        <button class="button" disabled={!sendable}>
          {phase === 'sending' ? t.sending : box === 'note' ? t.saveNote : t.send}
        </button>
      </div>
    </form>
  );
}

/** Characters that it may have: notes go through no channel. */
function longestOf(box: Box, channel: ReplyChannel | undefined): number {
  return (box === 'reply' ? channel?.longest : undefined) ?? LONGEST;
}

function asksToSend({ code, ctrlKey, metaKey, isComposing }: KeyboardEvent): boolean {
  return (code === 'Enter' || code === 'NumpadEnter') && (ctrlKey || metaKey) && !isComposing;
}

/** What was typed before, and what keeps what is typed now. */
function useDraft(name: string): readonly [text: string, write: (next: string) => void] {
  const [text, setText] = useState(keptInTab.read(name) ?? '');
  const write = (next: string) => {
    setText(next);
    if (next === '') keptInTab.remove(name);
    else keptInTab.write(name, next);
  };
  return [text, write];
}

/** Which channel carries the answer; those that can't say why. */
function Channels(given: {
  readonly channels: readonly ReplyChannel[];
  readonly chosen: ReplyChannel | undefined;
  readonly choose: (channel: string) => void;
  readonly language: string;
}) {
  const { t } = useTexts();
  const { channels, chosen, choose, language } = given;
  const closed = channels.filter(({ allowed }) => !allowed);
  return (
    <div class="via">
      {chosen && (
        <label>
          <span>{t.replyVia}</span>
          <select value={chosen.channel} onChange={(event) => choose(event.currentTarget.value)}>
            {channels.map(({ channel, allowed }) => (
              <option key={channel} value={channel} disabled={!allowed}>
                {channel}
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen && <small>{noteOn(chosen, t, language)}</small>}
      {!chosen && <small class="closed">{t.noWay}</small>}
      {closed.map(({ channel, reason }) => (
        <small key={channel} class="closed">
          {channel}: {reason}
        </small>
      ))}
    </div>
  );
}

function noteOn(channel: ReplyChannel, t: Texts, language: string): string {
  const { reason, until, longest } = channel;
  const notes = [
    reason,
    channel.public && t.public,
    channel.replaces && t.replaces,
    longest !== null && t.longest(longest),
    until !== null && t.until(longTime(until, language)),
  ];
  return notes.filter(Boolean).join(' · ');
}
