import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sax from 'sax';
import { validateXML } from 'xmllint-wasm';

/** OTOBO's own schema of the generic interface, for its SOAP: requests in JSON are the same words without their order. */
const FILE = join(import.meta.dirname, '../../../shared/specs/otrs-znuny/request-types.xsd');

/** What is in an element, in the order of the schema; none: text. */
type Shape = ReadonlyMap<string, string | undefined>;

export interface OtrsSchema {
  /** What xmllint says against these requests: the operation, and its body. */
  problems(requests: readonly (readonly [operation: string, body: object])[]): Promise<readonly string[]>;
}

export function readOtrsSchema(): OtrsSchema | undefined {
  if (!existsSync(FILE)) return undefined;
  const schema = readFileSync(FILE, 'utf8');
  const shapes = shapesIn(schema);
  const namespace = /targetNamespace="([^"]+)"/.exec(schema)![1]!;
  return {
    async problems(requests) {
      if (requests.length === 0) return [];
      const xml = requests.map(([operation, body], index) => ({
        fileName: `${index}-${operation}.xml`,
        contents: `<t:${operation} xmlns:t="${namespace}">${inside(shapes, operation, body)}</t:${operation}>`,
      }));
      const { errors } = await validateXML({ xml, schema: [schema], maxMemoryPages: 4096 });
      return errors.map(({ message, rawMessage }) => message || rawMessage);
    },
  };
}

/** Named types and elements at the top, each with its children in order; deeper sequences and choices count as one list. */
function shapesIn(schema: string): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Map<string, string | undefined>>();
  const parser = sax.parser(true);
  let top: Map<string, string | undefined> | undefined;
  let depth = 0;
  parser.onopentag = ({ name, attributes }) => {
    depth++;
    const own = attributes['name'] as string;
    if (depth === 2 && (name === 'xsd:element' || name === 'xsd:complexType')) shapes.set(own, (top = new Map()));
    else if (name === 'xsd:element') top?.set(own, typeOf(attributes['type']));
  };
  parser.onclosetag = () => void depth--;
  parser.write(schema).close();
  return shapes;
}

function typeOf(type: unknown): string | undefined {
  return typeof type === 'string' && type.startsWith('tns:') ? type.slice(4) : undefined;
}

/** What the schema doesn't know comes last, where it is refused. */
function inside(shapes: ReadonlyMap<string, Shape>, type: string, value: object): string {
  const shape: Shape = shapes.get(type) ?? new Map<string, undefined>();
  const order = [...shape.keys()];
  const place = (name: string) => (shape.has(name) ? order.indexOf(name) : order.length);
  return Object.entries(value)
    .toSorted(([a], [b]) => place(a) - place(b))
    .flatMap(([name, entry]) => [entry as unknown].flat().map((one) => element(shapes, name, shape.get(name), one)))
    .join('');
}

function element(shapes: ReadonlyMap<string, Shape>, name: string, type: string | undefined, value: unknown): string {
  const isObject = typeof value === 'object' && value !== null;
  const content = isObject ? inside(shapes, type ?? '', value) : escape(`${value as string | number}`);
  return `<${name}>${content}</${name}>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
