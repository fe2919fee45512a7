import { createTransport } from 'nodemailer';
import { Failure } from '../kernel/failure.ts';
import type { Message } from './deliveries.ts';

/** What may stand in a header: one line of text. Names come from people; a line break in one must not become a header (claim I6). */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();

/**
 * Sends mails through an SMTP server: `smtp://` (STARTTLS when it is offered) or `smtps://`. It resolves once the server has taken the message, and
 * fails otherwise, so that the delivery is tried again. An SMS has a gateway of its own (sms.ts): one that comes here fails as `no_gateway`.
 */
export const createSmtp = (options: {
  readonly url: string;
  readonly from: string;
}): { send(kind: 'mail' | 'sms', message: Omit<Message, 'about'>): Promise<void>; close(): void } => {
  const transport = createTransport(options.url, { connectionTimeout: 5000, greetingTimeout: 5000, socketTimeout: 10_000 } as object);
  return {
    send: async (kind: 'mail' | 'sms', message: Omit<Message, 'about'>) => {
      if (kind !== 'mail') throw new Failure('no_gateway', `no gateway for ${kind}`);
      await transport.sendMail({
        from: options.from,
        to: { name: '', address: oneLine(message.to) },
        subject: oneLine(message.subject),
        text: message.text,
      });
    },
    close: () => transport.close(),
  };
};
