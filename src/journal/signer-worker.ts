import { parentPort, workerData } from 'node:worker_threads';
import { openSigner } from './signer.ts';
import { readIfThere } from './signer-state.ts';
import { answerCall } from './signer-wire.ts';

/** The signer of the embedded default: a thread with its own memory file. `relais journal sign` is the same in a process of its own. */

const { folder, privateKeyPem, nextKeyFile } = workerData as {
  readonly folder: string;
  readonly privateKeyPem: string;
  readonly nextKeyFile?: string;
};
const signer = openSigner({ folder, privateKeyPem, ...(nextKeyFile === undefined ? {} : { nextKeyPem: readIfThere(nextKeyFile) }) });
parentPort?.on('message', ({ id, text }: { id: number; text: string }) => parentPort?.postMessage({ id, text: answerCall(signer, text) }));
