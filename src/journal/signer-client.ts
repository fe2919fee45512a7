import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { Failure } from '../kernel/failure.ts';
import type { Rotator, SignerClient } from './signer.ts';
import { type Call, readReply, writeCall } from './signer-wire.ts';

const client = (origin: string, send: (text: string) => Promise<string>, close: () => Promise<void>): SignerClient & Rotator => {
  const call = async (what: Call): Promise<ReturnType<typeof readReply>> => readReply(await send(writeCall(what)));
  return {
    async sign(request) {
      const reply = await call({ op: 'sign', origin, request });
      if (!('note' in reply || 'refused' in reply)) throw new Failure('signer_failed', 'it answered something else');
      return reply;
    },
    async rotate(fingerprint) {
      const reply = await call({ op: 'rotate', origin, fingerprint });
      if (!('rotation' in reply || 'refused' in reply)) throw new Failure('signer_failed', 'it answered something else');
      return reply;
    },
    async vkey() {
      const reply = await call({ op: 'vkey', origin });
      if (!('vkey' in reply)) throw new Failure('signer_failed', 'it did not give its key');
      return reply.vkey;
    },
    close,
  };
};

/** Speaks to `relais journal sign` on its Unix socket: one connection a call. */
export const connectSigner = (options: { readonly path: string; readonly origin: string; readonly timeoutMs?: number }): SignerClient & Rotator => {
  const { path, origin, timeoutMs = 5000 } = options;
  const send = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let answer = '';
      const unreachable = (cause?: unknown): void =>
        reject(new Failure('signer_unreachable', `no answer on ${path}: is "relais journal sign" running?`, { cause }));
      const socket = connect(path, () => socket.write(`${text}\n`));
      socket.setEncoding('utf8').setTimeout(timeoutMs, () => socket.destroy(new Error('timeout')));
      socket.on('data', (chunk: string) => {
        answer += chunk;
      });
      socket.on('error', unreachable);
      socket.on('close', () => (answer.endsWith('\n') ? resolve(answer) : unreachable()));
    });
  return client(origin, send, async () => undefined);
};

/**
 * Runs the signer in a thread of this process. It starts at the first call, again after a crash or when it does not answer, and does not keep the
 * process alive.
 */
export const startSignerWorker = (options: {
  /** How long a call waits for its answer (default 15,000: its start is in it). */
  readonly timeoutMs?: number;
  readonly folder: string;
  readonly privateKeyPem: string;
  /** Where the key that follows is looked for when a change of key is asked. */
  readonly nextKeyFile?: string;
  readonly origin: string;
}): SignerClient & Rotator => {
  const { folder, privateKeyPem, nextKeyFile, origin, timeoutMs = 15_000 } = options;
  const waiting = new Map<number, { asked: Worker; resolve: (text: string) => void; reject: (error: Failure) => void }>();
  let worker: Worker | undefined;
  let calls = 0;
  const start = (): Worker => {
    const started = new Worker(new URL(`./signer-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url), {
      workerData: { folder, privateKeyPem, nextKeyFile },
    });
    const lost = (cause?: unknown): void => {
      if (worker === started) worker = undefined;
      for (const [id, { asked, reject }] of waiting) {
        if (asked !== started) continue;
        waiting.delete(id);
        reject(new Failure('signer_unreachable', 'the signer thread has ended', { cause }));
      }
    };
    started.on('message', ({ id, text }: { id: number; text: string }) => {
      waiting.get(id)?.resolve(text);
      waiting.delete(id);
      if (!waiting.size) started.unref();
    });
    started.on('error', lost);
    started.on('exit', () => lost());
    return started;
  };
  const send = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      worker ??= start();
      worker.ref();
      const id = calls++;
      const asked = worker;
      const late = setTimeout(() => {
        if (worker === asked) worker = undefined;
        void asked.terminate(); // its end refuses all that waits for it
        waiting.get(id)?.reject(new Failure('signer_unreachable', 'the signer thread does not answer'));
        waiting.delete(id);
      }, timeoutMs).unref();
      const once =
        <V>(then: (value: V) => void) =>
        (value: V): void => {
          clearTimeout(late);
          then(value);
        };
      waiting.set(id, { asked, resolve: once(resolve), reject: once(reject) });
      asked.postMessage({ id, text });
    });
  return client(origin, send, async () => {
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  });
};
