import assert from 'node:assert/strict';
import { isTimeZone, momentOf, wordsOf } from '../src/core/local-time.ts';

describe('A time by the clocks of some place', () => {
  it('is the moment when they showed it, in summer, in winter, and around a change', () => {
    for (const [words, zone, moment] of [
      ['2026-11-23 10:05:00', 'Europe/Kyiv', '2026-11-23T08:05:00.000Z'],
      ['2026-07-23 10:05:00', 'Europe/Kyiv', '2026-07-23T07:05:00.000Z'],
      ['2026-03-29 02:30:00', 'Europe/Kyiv', '2026-03-29T00:30:00.000Z'],
      ['2026-03-29 02:59:59', 'Europe/Kyiv', '2026-03-29T00:59:59.000Z'],
      ['2026-03-29 04:00:00', 'Europe/Kyiv', '2026-03-29T01:00:00.000Z'],
      ['2026-03-29 04:30:00', 'Europe/Kyiv', '2026-03-29T01:30:00.000Z'],
      ['2026-10-25 05:00:00', 'Europe/Kyiv', '2026-10-25T03:00:00.000Z'],
      ['2026-07-24 01:30:00', 'Europe/Kyiv', '2026-07-23T22:30:00.000Z'],
      ['2026-11-23 10:05:00', 'UTC+3', '2026-11-23T07:05:00.000Z'],
      ['2026-11-23 10:05:00', 'UTC-05:30', '2026-11-23T15:35:00.000Z'],
      ['2026-11-23 10:05:00', 'gmt+0545', '2026-11-23T04:20:00.000Z'],
      ['2026-11-23 10:05:00', 'UTC', '2026-11-23T10:05:00.000Z'],
    ] as const) {
      assert.equal(new Date(momentOf(words, zone) ?? 0).toISOString(), moment, `${words} ${zone}`);
      assert.equal(wordsOf(Date.parse(moment), zone), words, `${moment} ${zone}`);
    }
  });

  it('is read in whatever form vendors write it, by its own offset where it has one', () => {
    for (const [words, moment] of [
      ['2026-11-23T10:05:05', '2026-11-23T08:05:05Z'],
      ['2026-11-23 10:05:05.123456', '2026-11-23T08:05:05Z'],
      ['2026-11-23 10:05', '2026-11-23T08:05:00Z'],
      ['2026-11-23T10:05:05+0200', '2026-11-23T08:05:05Z'],
      ['2026-11-23T10:05:05+05:30', '2026-11-23T04:35:05Z'],
      ['2026-11-23T10:05:05Z', '2026-11-23T10:05:05Z'],
      ['1795421105', '2026-11-23T08:05:05Z'],
      ['1795421105000', '2026-11-23T08:05:05Z'],
      ['1795421105000000', '2026-11-23T08:05:05Z'],
    ] as const) {
      assert.equal(momentOf(words, 'Europe/Kyiv'), Date.parse(moment), words);
    }
    for (const words of ['', 'today', '2026-11-23', '23.11.2026 10:05', '2026-13-45 10:05:05', '17954', undefined]) {
      assert.equal(momentOf(words, 'Europe/Kyiv'), undefined, words);
    }
  });

  it('has a zone that is one', () => {
    for (const name of ['Europe/Kyiv', 'UTC', 'UTC+3', 'UTC+14', 'GMT-05:30']) assert.ok(isTimeZone(name), name);
    for (const name of ['Kyiv', '', 'UTC+15', 'UTC+14:30', 'UTC-15']) assert.ok(!isTimeZone(name), name);
  });
});
