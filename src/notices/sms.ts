import { parisDay } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, hmacSha256, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { QueueSms } from '../usagers/channels.ts';
import type { Deliveries, Message } from './deliveries.ts';

/** What a signature is for: a message that we send cannot be played back to us as an answer. */
export type SmsPurpose = 'send' | 'replies' | 'receipts';

/** Whoever carries SMS. It resolves once the message was taken, and rejects otherwise; `id` is the same at each try. */
export interface SmsGateway {
  send(sms: { readonly id: string; readonly to: string; readonly text: string; readonly reference: string }): Promise<void>;
}

/** One line of text: no line break, no control or invisible character (claim I6). */
export const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();

const TIMEOUT_MS = 5_000;
const SKEW_SECONDS = 300;
const LONGEST = 918; // six parts of 153 characters

const mac = (key: Buffer, purpose: SmsPurpose, at: number, body: string): string =>
  hmacSha256(key, `relais/sms/v1\n${purpose}\n${at}\n`, body).toString('hex');

/** The header `Relais-Signature` of a body: `t=<seconds since 1970>,v1=<HMAC-SHA-256 in hexadecimal>`. */
export const signSms = (key: Buffer, purpose: SmsPurpose, at: Date, body: string): string => {
  const seconds = Math.floor(at.getTime() / 1000);
  return `t=${seconds},v1=${mac(key, purpose, seconds, body)}`;
};

/** Says whether a header signs this body for this purpose, within five minutes of now. */
export const isSignedSms = (key: Buffer, purpose: SmsPurpose, header: unknown, body: string, now: Date): boolean => {
  const [, seconds = '', signature = ''] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(typeof header === 'string' ? header : '') ?? [];
  if (!signature || Math.abs(now.getTime() / 1000 - Number(seconds)) > SKEW_SECONDS) return false;
  return equal(Buffer.from(mac(key, purpose, Number(seconds), body), 'hex'), Buffer.from(signature, 'hex'));
};

/** Posts SMS as JSON to a gateway's address, signed. Anything but a 2xx within five seconds is a failure, which the delivery tries again. */
export const createHttpSmsGateway = (options: { readonly url: string; readonly key: Secret<Buffer>; readonly clock: Clock }): SmsGateway => ({
  async send(sms) {
    const body = JSON.stringify({ id: sms.id, to: sms.to, text: oneLine(sms.text).slice(0, LONGEST), reference: sms.reference });
    const response = await fetch(options.url, {
      method: 'POST',
      redirect: 'error',
      headers: { 'content-type': 'application/json', 'relais-signature': signSms(options.key.reveal(), 'send', options.clock.now(), body) },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Failure('gateway_refused', `the SMS gateway answered ${response.status}`);
  },
});

/** Sends what a delivery holds: its text, then what follows it, in that order. */
export const sendThrough =
  (gateway: SmsGateway) =>
  async (message: Message, id: string): Promise<void> => {
    for (const [i, text] of [message.text, message.next].entries())
      if (text) await gateway.send({ id: `${id}.${i + 1}`, to: message.to, text, reference: message.reference ?? id });
  };

export interface SmsCap {
  readonly scope: 'day' | 'organisation' | 'aidant' | 'person' | 'number';
  readonly holder: string;
  readonly most: number;
}

export interface SmsQuotaStore {
  /** Counts `count` SMS of a day against every cap, or against none; returns the first cap that they would pass. */
  take(tx: Transaction, day: string, count: number, caps: readonly SmsCap[]): Promise<SmsCap['scope'] | undefined>;
}

/** How many SMS may leave in one day of Paris (claim D7). */
const MOST = { number: 12, person: 12, aidant: 60, organisation: 300, day: 20_000 } as const;

/** Queues SMS within the caps. `capped` hears of each refusal: somebody may be pumping messages. */
export const createTexting = (parts: {
  deliveries: Pick<Deliveries, 'queue'>;
  quota: SmsQuotaStore;
  clock: Clock;
  capped: (scope: SmsCap['scope']) => void;
}): QueueSms => {
  const { deliveries, quota, clock, capped } = parts;
  return async (tx, sms, payer) => {
    const caps: SmsCap[] = [
      { scope: 'day', holder: 'all', most: MOST.day },
      ...(payer.organisationId ? [{ scope: 'organisation' as const, holder: payer.organisationId, most: MOST.organisation }] : []),
      ...(payer.aidantId ? [{ scope: 'aidant' as const, holder: payer.aidantId, most: MOST.aidant }] : []),
      { scope: 'person', holder: payer.usagerId, most: MOST.person },
      { scope: 'number', holder: sha256('relais/sms/number\n', sms.to).toString('base64url'), most: MOST.number },
    ];
    const over = await quota.take(tx, parisDay(clock.now()), sms.next ? 2 : 1, caps);
    if (over) {
      capped(over);
      return { refused: 'sms_capped' };
    }
    const { usagerId: usager, aidantId: aidant, organisationId: organisation } = payer;
    const queued = await deliveries.queue(tx, 'sms', {
      about: { template: sms.template, usager, aidant, organisation, mandate: sms.mandate },
      to: sms.to,
      subject: '',
      text: sms.text,
      ...(sms.next ? { next: sms.next } : {}),
      ...(sms.reference ? { reference: sms.reference } : {}),
      ...(sms.until ? { until: sms.until.toISOString() } : {}),
    });
    return { queued };
  };
};
