import { after, before } from 'node:test';
import { startMessages } from '../../src/practice/messages.ts';
import type { Code, Message } from '../../src/practice/messages-page.tsx';
import { assert, test } from '../support/check.ts';

let messages: Message[] = [];
let codes: Code[] = [];
let page: Awaited<ReturnType<typeof startMessages>>;
before(async () => {
  page = await startMessages({ port: 0, list: async () => messages, codes: async () => codes });
});
after(() => page.close());
const read = async () => (await fetch(page.origin)).text();

test('an empty page says what will make something appear', async () => {
  const html = await read();
  assert.match(html, /Aucun message pour l’instant/);
  assert.match(html, /Aucun code pour l’instant/);
  assert.match(html, /href="\/">\s*Actualiser/);
});

test('messages come newest first, their addresses can be followed, and anything else stays text', async () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 21, 14, minute));
  messages = [
    {
      at: at(1),
      channel: 'mail',
      to: 'lea@demonstration.example',
      subject: 'Votre lien',
      text: 'Ouvrez http://localhost:8400/enrolement/abc?x=1. Merci.',
    },
    { at: at(2), channel: 'sms', to: '06 00 00 00 00', text: '<script>alert(1)</script> javascript:alert(1) répondez NON' },
  ];
  codes = [{ who: 'Karim Benali', code: '123 456', note: 'Encore 20 secondes' }];
  const html = await read();
  assert.ok(html.indexOf('répondez NON') < html.indexOf('Votre lien'));
  assert.match(html, /<a href="http:\/\/localhost:8400\/enrolement\/abc\?x=1">/);
  assert.doesNotMatch(html, /<script|href="javascript/);
  assert.match(html, /123 456/);
  assert.match(html, /15.h.02/);
});
