import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Signer } from './signer.ts';
import { answerCall } from './signer-wire.ts';

const LONGEST_CALL = 65_536;

/** True when somebody answers on the socket. */
const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

export interface SignerServer {
  close(): Promise<void>;
}

/**
 * Serves a signer over a Unix socket, one line a call. The socket is for its owner only, unless `mode` says otherwise (0660 when Relais runs as
 * another user of the same group). A socket left by a dead signer is replaced; a living one is refused as `EADDRINUSE`.
 */
export const serveSigner = async (options: { readonly signer: Signer; readonly path: string; readonly mode?: number }): Promise<SignerServer> => {
  const { signer, path, mode = 0o600 } = options;
  if (!(await isServed(path))) rmSync(path, { force: true });
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8').setTimeout(10_000, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > LONGEST_CALL) socket.destroy();
      const end = text.indexOf('\n');
      if (end >= 0 && text.length <= LONGEST_CALL) socket.end(`${answerCall(signer, text.slice(0, end))}\n`);
    });
  });
  const umask = process.umask(0o177); // so that there is no instant at which others may connect
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, mode);
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
};
