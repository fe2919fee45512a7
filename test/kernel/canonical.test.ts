import fc from 'fast-check';
import { canonical, type Json, parseCanonical } from '../../src/kernel/canonical.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { assert, test } from '../support/check.ts';

const refused = (work: () => unknown): void => assert.throws(work, (error) => error instanceof Failure && error.code === 'not_canonical');

test('RFC 8785 §3.2.2: the literals, numbers and strings of its example', () => {
  const value: Json = {
    numbers: [Number('333333333.33333329'), 4.5, 2e-3, 0.000000000000000000000000001], // its 1E30 is an integer that we refuse
    string: '€$\u000f\nA\'B"\\\\"/',
    literals: [null, true, false],
  };
  assert.equal(
    canonical(value),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('RFC 8785 §3.2.3: members are sorted by UTF-16 code units', () => {
  const value: Json = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    1: 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  const names = [...canonical(value).matchAll(/:"([^"]+)"/g)].map((found) => found[1]);
  assert.deepEqual(names, [
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

test('RFC 8785 appendix B: numbers in their shortest form, and -0 as 0', () => {
  assert.equal(
    canonical([-0, 5e-324, 2.2250738585072014e-308, 0.1, 1e-7, 0.000001, 4.35]),
    '[0,5e-324,2.2250738585072014e-308,0.1,1e-7,0.000001,4.35]',
  );
});

test('what cannot be written the same way everywhere is refused', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e30, '\ud800', ['\udfff x'], { a: { b: '\ud83d' } }])
    refused(() => canonical(value));
});

test('text is normalised to NFC: the same name typed in two ways is the same bytes', () => {
  assert.equal(canonical('Ame\u0301lie'), canonical('Am\u00e9lie'));
});

test('a member that is undefined is left out', () => {
  assert.equal(canonical({ b: undefined, a: 1 }), '{"a":1}');
});

test('control characters, line ends, escape sequences and bidirectional marks stay inside one line of JSON', () => {
  const text = canonical({ name: 'a\r\nb\u0000\u001b[31m\u202e' });
  assert.ok(!/[\u0000-\u001f]/.test(text));
  assert.equal(parseCanonical(text) instanceof Object, true);
});

test('only canonical text is read back', () => {
  for (const text of ['{"b":1,"a":2}', '{"a":1,"a":1}', '{ "a":1}', '[1.0]', '"\\u0041"', '{"a":1}\n', 'nothing', '', '"\\ud800"', '"Ame\u0301lie"'])
    refused(() => parseCanonical(text));
  assert.deepEqual(parseCanonical('{"a":[1,null,"é"]}'), { a: [1, null, 'é'] });
});

test('any value survives: written, read, written again, the bytes are the same, whatever the order of its members', () => {
  const key = fc.string({ maxLength: 6 }).filter((text) => text !== '__proto__');
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, false),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Number.isInteger(number)),
      fc.string({ unit: 'grapheme' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    ),
  }));
  const turned = (json: Json): Json =>
    Array.isArray(json)
      ? json.map((item) => turned(item as Json))
      : json && typeof json === 'object'
        ? Object.fromEntries(
            Object.entries(json)
              .reverse()
              .map(([name, member]) => [name, turned(member as Json)]),
          )
        : json;
  fc.assert(
    fc.property(value, (json) => {
      const text = canonical(json);
      return canonical(parseCanonical(text)) === text && canonical(turned(json)) === text;
    }),
    { seed: 8785, numRuns: 1000 },
  );
  assert.ok(true);
});
