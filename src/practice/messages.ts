import './guard.ts';
import { IdentitiesPage } from './identities-page.tsx';
import { type Code, MESSAGES, type Message, MessagesPage } from './messages-page.tsx';
import { render } from './page.tsx';
import { listen, originFor, practiceServer } from './server.ts';

export type { Code, Message } from './messages-page.tsx';

export interface MessagesOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** Mails, SMS and letters that would have left. */
  readonly list: () => Promise<readonly Message[]>;
  /** The next unused one-time code of each test identity. */
  readonly codes: () => Promise<readonly Code[]>;
}

/** Starts the page that shows what would have been sent, and the codes that an application on a telephone would show. */
export const startMessages = async (options: MessagesOptions): Promise<{ readonly origin: string; close(): Promise<void> }> => {
  const app = await practiceServer(MESSAGES);
  app.get('/', async (_request, reply) => {
    const [messages, codes] = await Promise.all([options.list(), options.codes()]);
    const newest = messages.toSorted((a, b) => b.at.getTime() - a.at.getTime());
    return reply.type('text/html; charset=utf-8').send(render(MessagesPage({ messages: newest, codes, now: new Date() })));
  });
  app.get('/identites', async (_request, reply) => reply.type('text/html; charset=utf-8').send(render(IdentitiesPage())));
  const origin = await originFor(options.port);
  await listen(app, origin);
  return { origin, close: () => app.close() };
};
