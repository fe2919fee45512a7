import { readReply } from '../../src/mandates/reply.ts';
import { oneLine } from '../../src/notices/sms.ts';
import { readPhone } from '../../src/usagers/phone.ts';
import { assert, test } from '../support/check.ts';

test('U10 only the word oui, alone, is a yes; case, spaces, accents and final punctuation do not count', () => {
  for (const text of ['oui', 'OUI', ' Oui ', 'oui.', 'Oui !', '« oui »', 'ouí', 'OUI...\n', '\u200boui']) assert.equal(readReply(text), 'yes', text);
  for (const text of ['oui ?', 'oui mais', 'oui oui', 'ouioui', 'o u i', 'ok', 'yes', "d'accord", '1', '', '👍', 'non ?oui'.slice(4)])
    assert.notEqual(readReply(text), 'yes', text);
});

test('U10 non, stop, arrêt, and whatever begins with them, is a no; the rest is unclear', () => {
  for (const text of ['non', 'NON !', 'Non merci', 'stop', 'STOP', 'Arrêt', 'ARRET', 'arrêter', 'révoquer', 'non, enfin oui'])
    assert.equal(readReply(text), 'no', text);
  for (const text of ['nonobstant', 'peut-être', 'oui non', 'qui êtes-vous ?', 'oui'.repeat(60)]) assert.equal(readReply(text), 'unclear', text);
});

/** The best of some runs, in milliseconds. */
const best = (work: () => unknown): number => {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 7; i++) {
    const began = performance.now();
    work();
    least = Math.min(least, performance.now() - began);
  }
  return least;
};

test('I8 reading an answer, a number or a message takes a time that grows with the length at most', () => {
  const shapes = [
    (n: number) => ' '.repeat(n),
    (n: number) => `${'oui '.repeat(n / 4)}x`,
    (n: number) => `${'.'.repeat(n)}!`,
    (n: number) => '\u0301'.repeat(n),
  ];
  for (const shape of shapes)
    for (const read of [readReply, readPhone, oneLine]) {
      const [small, large] = [shape(5_000), shape(50_000)];
      const ratio =
        best(() => read(large)) /
        Math.max(
          best(() => read(small)),
          0.05,
        );
      assert.ok(ratio < 60, `${read.name}: ten times the length took ${ratio.toFixed(1)} times as long`); // a square would be 100
    }
});

test('D7 only French mobile numbers can be written to: premium, short, machine, fixed and foreign ones are refused', () => {
  const phone = (text: string) => {
    const read = readPhone(text);
    return 'phone' in read ? read.phone : read.refused;
  };
  assert.equal(phone('06 39 98 00 01'), '+33639980001');
  assert.equal(phone('+33 (0)7.56-78-90-12'), '+33756789012');
  assert.equal(phone('0033612345678'), '+33612345678');
  assert.equal(phone('0692 12 34 56'), '+262692123456');
  assert.equal(phone('+596696123456'), '+596696123456');
  for (const text of ['0899123456', '+33 899 12 34 56', '0805123456', '3639', '118218', '0700123456'])
    assert.equal(phone(text), 'phone_premium', text);
  for (const text of ['+447700900123', '+1 900 555 0100', '0041791234567', '+262262123456'.replace('+262', '+269')])
    assert.equal(phone(text), 'phone_foreign', text);
  for (const text of ['01 23 45 67 89', '09 12 34 56 78']) assert.equal(phone(text), 'phone_not_mobile', text);
  for (const text of ['', 'bonjour', '06', '06 39 98 00 01 22', '06\n39\0', '+33'.repeat(20)]) assert.ok(phone(text).startsWith('phone_'), text);
});

test('I6 a message is one line, without control or invisible characters', () => {
  assert.equal(oneLine('Relais\r\nBcc: x\u0000\u2028\u202Eabc\t d'), 'Relais Bcc: x abc d');
});
