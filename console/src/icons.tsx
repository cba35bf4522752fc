const paths = {
  alert: 'M8 5v4M8 11.5v.01M8 1.5 15 14H1z',
  back: 'M10 3 5 8l5 5',
  call: 'M3 2.5h3l1.2 3.2L5.6 7a8 8 0 0 0 3.4 3.4l1.3-1.6 3.2 1.2v3A1.2 1.2 0 0 1 12.2 14 11 11 0 0 1 2 3.8 1.2 1.2 0 0 1 3 2.5z',
  chat: 'M2 3h12v8H7l-3 3v-3H2z',
  check: 'M3 8.5 6.5 12 13 4.5',
  checks: 'M1.5 8.5 5 12l6-7.5M8.5 12 15 4.5',
  channels: 'M8 8v6M8 8v.01M5.2 10.8a4 4 0 1 1 5.6 0M3.1 12.9a7 7 0 1 1 9.8 0',
  close: 'M4 4l8 8M12 4l-8 8',
  clip: 'M13 7.5 7.7 12.8a3 3 0 0 1-4.3-4.3L9 3a2 2 0 0 1 2.9 2.9L6.6 11.2a.9.9 0 0 1-1.3-1.3l4.5-4.6',
  clock: 'M8 4.5V8l2.5 1.5M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8z',
  command: 'M2.5 4.5 6 8l-3.5 3.5M8 12h5.5',
  customers: 'M8 8.2a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.3 14.2a5.8 5.8 0 0 1 11.4 0',
  destinations: 'M2 8h9M8 4.5 11.5 8 8 11.5M14 2.5v11',
  events: 'M6 3.5h8M6 8h8M6 12.5h8M2.5 3.5v.01M2.5 8v.01M2.5 12.5v.01',
  form: 'M3 1.8h10v12.4H3zM5.5 5h5M5.5 8h5M5.5 11h3',
  inbox: 'M1.8 9.5 4 3h8l2.2 6.5V13H1.8zM1.8 9.5h3.4l1 1.8h3.6l1-1.8h3.4',
  mail: 'M1.8 3.5h12.4v9H1.8zM2 4l6 5 6-5',
  person: 'M8 8.2a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14a5.5 4.6 0 0 1 11 0',
  tag: 'M2 2h5.5l6.5 6.5-5.5 5.5L2 7.5zM5 5v.01',
  filter: 'M2 3.5h12M4 8h8M6.5 12.5h3',
  note: 'M2.5 2.5h11v7l-4 4h-7zM13.5 9.5h-4v4',
  phone: 'M4.5 1.8h7v12.4h-7zM7.5 12h1',
  plug: 'M5.5 1.8V5M10.5 1.8V5M3.5 5h9v2.5a4.5 4.5 0 0 1-9 0zM8 12v2.5',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 14 14',
  star: 'M8 1.8 9.9 6l4.4.5-3.3 3 .9 4.5L8 11.8 4.1 14l.9-4.5-3.3-3L6.1 6z',
} as const;
export type IconName = keyof typeof paths;

/** A picture beside a word that says the same. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

const typesOf: Readonly<Partial<Record<IconName, readonly string[]>>> = {
  form: ['form'],
  plug: ['webhook', 'rss'],
  mail: ['email'],
  phone: ['sms_gateway', 'twilio'],
  call: ['asterisk', 'binotel', 'cti', 'mango', 'ringostat', 'twilio_voice', 'uis', 'zadarma'],
  star: ['app_store', 'google_business', 'google_play', 'trustpilot'],
};

export function iconOf(channelType: string): IconName {
  const found = Object.entries(typesOf).find(([, types]) => types.includes(channelType));
  return found ? (found[0] as IconName) : 'chat';
}
