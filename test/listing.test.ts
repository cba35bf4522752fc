import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { signJwt } from '../src/core/jwt.ts';
import { openListing } from '../src/core/listing.ts';

const NOW = 1_000_000;
const open = (cursor?: string, given: Partial<Parameters<typeof openListing>[1]> = {}) =>
  openListing(cursor, { now: NOW, first: 0, most: 3, ...given });

describe('a list that is read again and again', () => {
  it('says what is new, what has changed and from what, and nothing else', () => {
    const first = open();
    assert.deepEqual(first.look({ id: 'a', at: 1, mark: 'x' }), { before: undefined });
    assert.equal(first.look({ id: 'a', at: 1, mark: 'x' }), 'same');
    first.finish();
    const next = open(first.toCursor());
    assert.equal(next.look({ id: 'a', at: 1, mark: 'x' }), 'same');
    assert.deepEqual(next.look({ id: 'a', at: 2, mark: 'y' }), { before: 'x' });
    assert.deepEqual(open(next.toCursor()).look({ id: 'a', at: 2, mark: 'x' }), { before: 'y' });
  });

  it('takes what was there before it was first read for no news, until it changes', () => {
    const listing = open(undefined, { first: 100 });
    assert.equal(listing.look({ id: 'a', at: 100, mark: 'x' }), 'same');
    assert.deepEqual(listing.look({ id: 'b', at: 101, mark: 'x' }), { before: undefined });
    assert.deepEqual(listing.look({ id: 'a', at: 102, mark: 'y' }), { before: undefined });
    assert.equal(open(listing.toCursor(), { first: 0 }).look({ id: 'c', at: 99, mark: 'x' }), 'same');
  });

  it('knows those changed last, and takes older ones for known', () => {
    const listing = open();
    for (const at of [7, 6, 5]) listing.look({ id: `n${at}`, at, mark: 'x' });
    listing.turnTo('2');
    const page = open(listing.toCursor());
    for (const at of [4, 3, 2]) assert.notEqual(page.look({ id: `n${at}`, at, mark: 'x' }), 'same', 'on a last page');
    page.finish();
    const next = open(page.toCursor());
    assert.equal(next.look({ id: 'n2', at: 2, mark: 'x' }), 'same');
    assert.equal(next.look({ id: 'n1', at: 1, mark: 'x' }), 'same');
    assert.equal(next.look({ id: 'n7', at: 7, mark: 'x' }), 'same');
    assert.deepEqual(next.look({ id: 'n2', at: 9, mark: 'y' }), { before: undefined });
    assert.deepEqual(next.look({ id: 'n5', at: 9, mark: 'y' }), { before: 'x' });
    next.finish();
    assert.ok(next.toCursor().length < 300, 'it does not grow');
  });

  it('names what no page of the pass had, of what is young enough to be there', () => {
    const listing = open();
    for (const at of [10, 20, 30]) listing.look({ id: `n${at}`, at, mark: 'x' });
    assert.deepEqual(listing.absent(0), [], 'not within the pass that it was seen in');
    listing.turnTo('2');
    const same = open(listing.toCursor());
    assert.deepEqual(same.absent(0), [], 'not on another page of the same pass');
    same.finish();
    const next = open(same.toCursor());
    next.look({ id: 'n20', at: 20, mark: 'x' });
    assert.deepEqual(next.absent(20), ['n30']);
    assert.deepEqual(next.absent(0), ['n10', 'n30']);
    next.forget('n30');
    assert.deepEqual(next.absent(0), ['n10']);
    assert.deepEqual(next.look({ id: 'n30', at: 30, mark: 'x' }), { before: undefined }, 'it is back');
  });

  it('goes on where it was, and knows when a whole pass began', () => {
    const first = open(undefined, { now: 1 });
    assert.deepEqual([first.page, first.readAt], [undefined, undefined]);
    first.turnTo('2');
    const second = open(first.toCursor(), { now: 2 });
    assert.deepEqual([second.page, second.readAt, second.turned], ['2', undefined, 1]);
    second.finish();
    const third = open(second.toCursor(), { now: 3 });
    assert.deepEqual([third.page, third.readAt], [undefined, 1], 'what came while it was read comes after it');
    third.turnTo('2');
    third.restart();
    assert.deepEqual([third.page, third.turned], [undefined, 0]);
    third.finish();
    assert.deepEqual([open(third.toCursor()).page, open(third.toCursor()).readAt], [undefined, 3]);
  });

  it('hears once of what has no id that can be read, and never misses it', () => {
    const listing = open(undefined, { first: NOW - 1 });
    assert.deepEqual(
      [listing.isFirst({ id: 7 }), listing.isFirst({ id: 7 }), listing.isFirst({ id: 8 })],
      [true, false, true],
    );
    listing.finish();
    const next = open(listing.toCursor());
    assert.deepEqual([next.absent(0), next.isFirst({ id: 7 })], [[], false]);
  });

  it('begins anew with a cursor that it can’t read', () => {
    for (const cursor of ['', '{', '{"known":{}}', '[]']) {
      assert.deepEqual(open(cursor).look({ id: 'a', at: 1, mark: 'x' }), { before: undefined });
    }
  });
});

describe('a token that we sign', () => {
  const parts = (token: string) => {
    const [head, body, signature] = token.split('.') as [string, string, string];
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as unknown;
    return { header: read(head), claims: read(body), signed: Buffer.from(`${head}.${body}`), signature };
  };
  const claims = { iss: 'me', iat: 1, exp: 2 };

  it('is RS256', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { header, signed, signature, ...rest } = parts(signJwt({ alg: 'RS256' }, claims, privateKey));
    assert.deepEqual([header, rest.claims], [{ alg: 'RS256', typ: 'JWT' }, claims]);
    assert.ok(verify('RSA-SHA256', signed, publicKey, Buffer.from(signature, 'base64url')));
  });

  it('is ES256, with the signature as RFC 7518 has it', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { header, signed, signature } = parts(signJwt({ alg: 'ES256', kid: 'K1' }, claims, privateKey));
    assert.deepEqual(header, { alg: 'ES256', kid: 'K1', typ: 'JWT' });
    const bytes = Buffer.from(signature, 'base64url');
    assert.equal(bytes.length, 64);
    const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }));
    assert.ok(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, bytes));
  });
});
