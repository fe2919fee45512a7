import './guard.ts';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Verifier, writeVkey } from '../journal/note.ts';
import { type Policy, readPolicy } from '../journal/policy.ts';
import { openWitness } from '../journal/witness.ts';
import { holdFolder, serveWitness } from '../journal/witness-server.ts';
import type { Clock } from '../kernel/clock.ts';

export interface PracticeWitnesses {
  /** Both must have seen what is called witnessed. */
  readonly policy: Policy;
  readonly origins: readonly string[];
  close(): Promise<void>;
}

/** Starts two witnesses of the demonstration's journal, each with a folder of its own, as two administrations would. A port of 0 takes a free one. */
export const startWitnesses = async (options: {
  readonly folder: string;
  readonly ports: readonly number[];
  readonly log: Verifier;
  readonly clock: Clock;
}): Promise<PracticeWitnesses> => {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  const lines: string[] = [];
  const names: string[] = [];
  const origins: string[] = [];
  try {
    for (const [i, port] of options.ports.entries()) {
      const name = `temoin-${i + 1}`;
      const folder = join(options.folder, name);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      closers.push(await holdFolder(folder));
      const witness = openWitness({ folder, name: `${name}.demonstration.example`, logs: [options.log], clock: options.clock });
      const server = await serveWitness({ witness, port, host: 'localhost' });
      closers.push(() => server.close());
      const origin = `http://localhost:${server.port}`;
      origins.push(origin);
      names.push(name);
      lines.push(`witness ${name} ${writeVkey(witness.verifier)} ${origin}`);
    }
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  const text = [`log ${writeVkey(options.log)}`, ...lines, `group temoins all ${names.join(' ')}`, 'quorum temoins', ''].join('\n');
  return { policy: readPolicy(text), origins, close };
};
