import { once } from 'node:events';
import { after, before } from 'node:test';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { createSmtp } from '../../src/notices/smtp.ts';
import { assert, test } from '../support/check.ts';

/** A real SMTP server: what it takes, it parses. It refuses the address `busy@…` for now, as a full mailbox would. */
const received: Email[] = [];
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onRcptTo: ({ address }, _session, done) => done(address.startsWith('busy') ? Object.assign(new Error('try later'), { responseCode: 451 }) : null),
  onData: (stream, _session, done) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      void PostalMime.parse(Buffer.concat(parts)).then((mail) => {
        received.push(mail);
        done();
      });
    });
  },
});
let url = '';
before(async () => {
  server.listen(0, 'localhost');
  await once(server.server, 'listening');
  const address = server.server.address();
  url = `smtp://localhost:${typeof address === 'object' && address ? address.port : 0}`;
});
after(() => new Promise<void>((resolve) => server.close(() => resolve())));

test('a mail reaches a real SMTP server, accents and link intact', async () => {
  const smtp = createSmtp({ url, from: 'relais@relais.example' });
  await smtp.send('mail', {
    to: 'lea@mairie.example',
    subject: 'Relais : préparez votre connexion',
    text: 'Bonjour Léa,\nhttps://relais.example/inscription/abc\n',
  });
  smtp.close();
  const mail = received.at(-1);
  assert.equal(mail?.subject, 'Relais : préparez votre connexion');
  assert.equal(mail?.to?.[0]?.address, 'lea@mairie.example');
  assert.match(mail?.text ?? '', /Bonjour Léa,\r?\nhttps:\/\/relais\.example\/inscription\/abc/);
});

test('a line break in a name makes no header', async () => {
  const smtp = createSmtp({ url, from: 'relais@relais.example' });
  await smtp.send('mail', { to: 'lea@mairie.example', subject: 'Bonjour\r\nBcc: espion@ailleurs.example\u2028X: y', text: 'corps' });
  smtp.close();
  const mail = received.at(-1);
  assert.equal(mail?.subject, 'Bonjour Bcc: espion@ailleurs.example X: y');
  assert.equal(mail?.bcc, undefined);
  assert.ok(!mail?.headers.some(({ key }) => key === 'x' || key === 'bcc'));
});

test('a server that refuses for now, or is not there, is a failure to try again', async () => {
  const smtp = createSmtp({ url, from: 'relais@relais.example' });
  const before = received.length;
  await assert.rejects(smtp.send('mail', { to: 'busy@mairie.example', subject: 's', text: 't' }));
  await assert.rejects(smtp.send('sms', { to: '+33600000000', subject: '', text: 't' }), /no_gateway/);
  smtp.close();
  const nobody = createSmtp({ url: 'smtp://localhost:1', from: 'relais@relais.example' });
  await assert.rejects(nobody.send('mail', { to: 'lea@mairie.example', subject: 's', text: 't' }));
  nobody.close();
  assert.equal(received.length, before);
});
