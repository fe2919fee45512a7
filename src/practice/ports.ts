import './guard.ts';
import { createServer } from 'node:net';
import { Failure } from '../kernel/failure.ts';

/** The addresses of the demonstration: one port a program, counted from the base; a base of 0 takes any free port for each (tests). */
export const practicePorts = (base = 8400) => {
  const at = (offset: number): number => (base === 0 ? 0 : base + offset);
  return {
    relais: at(0),
    proconnect: at(1),
    franceconnect: at(2),
    allowances: at(3),
    taxes: at(4),
    messages: at(5),
    sms: at(6),
    witness1: at(7),
    witness2: at(8),
    front: at(9),
  };
};

/**
 * Where a process takes free ports: below those that systems give to connections, and each process elsewhere, since a port that is found free is listened
 * at only seconds later.
 */
const FIRST_PORT = 15_000;
const PORTS = 60;
const PLACES = 280;
let given = 0;

/** A port of this machine that nothing listens at. Fails with `no_free_port`. */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < PORTS; tries++) {
    const found = FIRST_PORT + (process.pid % PLACES) * PORTS + (given++ % PORTS);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve, reject) =>
      probe
        .once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
        .listen(found, 'localhost', () => resolve(true)),
    );
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return found;
  }
  throw new Failure('no_free_port');
};
