import './guard.ts';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUuid } from '../kernel/crypto.ts';
import { isSignedSms, type SmsPurpose, signSms } from '../notices/sms.ts';
import { render, TroublePage } from './page.tsx';
import { listen, originFor, practiceServer } from './server.ts';
import { SMS, type SmsLine, SmsPage } from './sms-page.tsx';

export interface SmsGatewayOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** Where messages are kept across restarts. */
  readonly folder: string;
  readonly key: Buffer;
  /** Origin of Relais, whose callbacks it calls. */
  readonly relais: string;
  readonly now: () => Date;
}

export interface SmsGateway {
  readonly origin: string;
  /** Where messages are posted. */
  readonly url: string;
  readonly messages: () => readonly SmsLine[];
  /** Answers as the phone's owner would; returns what Relais said. */
  reply(to: string, text: string): Promise<number>;
  close(): Promise<void>;
}

interface Kept extends SmsLine {
  readonly reference: string;
}

const isText = (value: unknown): value is string => typeof value === 'string';

/**
 * Starts a gateway of SMS that sends nothing: it takes signed messages, once each, calls in signed receipts and answers, and shows every phone on a
 * page, where one can answer. It speaks the protocol that a real one would have to.
 */
export const startSmsGateway = async (options: SmsGatewayOptions): Promise<SmsGateway> => {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const file = join(options.folder, 'sms.jsonl');
  const kept: Kept[] = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => {
          const one = JSON.parse(line) as Omit<Kept, 'at'> & { at: string }; // written below
          return { ...one, at: new Date(one.at) };
        })
    : [];
  const keep = (one: Kept): void => {
    kept.push(one);
    appendFileSync(file, `${JSON.stringify(one)}\n`, { mode: 0o600 });
  };

  const call = async (purpose: SmsPurpose, content: Readonly<Record<string, string>>): Promise<number> => {
    const body = JSON.stringify(content);
    const response = await fetch(`${options.relais}/api/v1/sms/${purpose}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'relais-signature': signSms(options.key, purpose, options.now(), body) },
      body,
      signal: AbortSignal.timeout(5_000),
    });
    await response.body?.cancel();
    return response.status;
  };

  const reply = async (phone: string, text: string): Promise<number> => {
    const asked = kept.findLast((one) => one.phone === phone && !one.mine);
    if (!asked) return 404;
    const id = randomUuid();
    keep({ id, phone, text, mine: true, at: options.now(), reference: asked.reference });
    return call('replies', { id, reference: asked.reference, from: phone, text });
  };

  const app = await practiceServer(SMS);
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.post('/messages', async (request, answer) => {
    const body = isText(request.body) ? request.body : '';
    if (!isSignedSms(options.key, 'send', request.headers['relais-signature'], body, options.now()))
      return answer.code(401).send({ code: 'signature' });
    const { id, to, text, reference } = JSON.parse(body) as Record<string, unknown>;
    if (!isText(id) || !isText(to) || !isText(text) || !isText(reference)) return answer.code(400).send({ code: 'malformed' });
    if (!kept.some((one) => one.id === id)) {
      keep({ id, phone: to, text, mine: false, at: options.now(), reference });
      setTimeout(() => void call('receipts', { id: `${id}.r`, reference, status: 'delivered' }).catch(() => undefined), 50).unref();
    }
    return answer.code(202).send({ id });
  });
  app.get('/', async (_request, answer) => answer.type('text/html; charset=utf-8').send(render(SmsPage({ lines: kept, now: options.now() }))));
  app.post('/repondre', async (request, answer) => {
    const { phone, text } = (request.body ?? {}) as Record<string, unknown>;
    const status = isText(phone) && isText(text) ? await reply(phone, text).catch(() => 503) : 400;
    if (status < 300 || status === 404) return answer.redirect('/', 303);
    const trouble = {
      title: 'La réponse n’est pas arrivée',
      what: 'Relais n’a pas pris cette réponse.',
      changes: 'Rien n’a été enregistré par Relais.',
      todo: 'Attendez un instant, puis recommencez.',
      code: `relais_${status}`,
      link: { href: '/', text: 'Revenir aux téléphones' },
    };
    return answer
      .code(502)
      .type('text/html; charset=utf-8')
      .send(render(TroublePage({ programme: SMS, trouble })));
  });
  const origin = await originFor(options.port);
  await listen(app, origin);
  return { origin, url: `${origin}/messages`, messages: () => kept, reply, close: () => app.close() };
};
