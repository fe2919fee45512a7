import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { argument, serve } from './server.ts';

/** Back channels of many services in one process, a port each; the deaf ones take the connection and never answer. */

const { listeners, deaf } = argument<{ listeners: number; deaf: boolean }>();

const listen = async (): Promise<{ server: Server; origin: string }> => {
  const server = createServer((request, response) => {
    request.resume();
    if (!deaf) request.once('end', () => response.writeHead(200).end());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};

const open = await Promise.all(Array.from({ length: listeners }, listen));
serve(
  '',
  () => ({ statements: 0, commits: 0 }),
  { origins: async () => open.map(({ origin }) => origin) },
  async () => {
    for (const { server } of open) {
      server.closeAllConnections();
      server.close();
    }
  },
);
