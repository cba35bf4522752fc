/** How files of a kind begin, in latin1. Inside a zip the name says what it is: office documents are zips. */
const BEGINNINGS: readonly (readonly [mediaType: string, beginning: RegExp])[] = [
  ['image/png', /^\x89PNG\r\n\x1a\n/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/gif', /^GIF8[79]a/],
  ['image/webp', /^RIFF[^]{4}WEBP/],
  ['image/heic', /^[^]{4}ftyp(heic|heix|mif1)/],
  ['video/quicktime', /^[^]{4}ftypqt/],
  ['video/mp4', /^[^]{4}ftyp/],
  ['video/webm', /^\x1aE\xdf\xa3/],
  ['audio/mpeg', /^(ID3|\xff[\xe2-\xfb])/],
  ['audio/ogg', /^OggS/],
  ['audio/wav', /^RIFF[^]{4}WAVE/],
  ['application/pdf', /^%PDF-/],
  ['application/zip', /^PK\x03\x04/],
];
const HEAD_BYTES = 16;
/** What a text can't contain. */
const BINARY = /[\x00-\x08\x0e-\x1a\x1c-\x1f]/;
const TEXT_BYTES = 4096;

const OFFICE = 'application/vnd.openxmlformats-officedocument';
const IN_ZIPS: Readonly<Record<string, string>> = {
  docx: `${OFFICE}.wordprocessingml.document`,
  xlsx: `${OFFICE}.spreadsheetml.sheet`,
  pptx: `${OFFICE}.presentationml.presentation`,
};

/** The media type by the bytes: what a browser says about them is only its guess from the name. */
export function mediaTypeOf(name: string, bytes: Buffer): string {
  const head = bytes.toString('latin1', 0, HEAD_BYTES);
  const found = BEGINNINGS.find(([, beginning]) => beginning.test(head))?.[0];
  if (found === 'application/zip') return IN_ZIPS[name.split('.').at(-1)?.toLowerCase() ?? ''] ?? found;
  if (found) return found;
  return BINARY.test(bytes.toString('latin1', 0, TEXT_BYTES)) ? 'application/octet-stream' : 'text/plain';
}
