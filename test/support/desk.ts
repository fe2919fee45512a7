import type { Io } from '../../src/cli/command.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { runHere } from '../../src/cli/run.ts';
import type { World } from './world.ts';

/** What a command uses, in the process of the world. */
export const contextOf = (world: World, more: Partial<CommandContext> = {}): CommandContext => ({
  mode: 'demonstration',
  publicUrl: world.places.relais,
  varFolder: '/nowhere',
  journalHost: 'localhost',
  database: world.database,
  clock: world.app.site.clock,
  keys: () => world.demonstration.config.keys,
  keyStore: async () => world.app.keyStore,
  domain: async () => world.app,
  enrolmentUrl: (token) => token,
  ...more,
});

/** Runs a command and gives what it said; `file` is what any file that it reads holds. */
export const runWith = async (context: CommandContext, args: readonly string[], file = ''): Promise<{ code: number; text: string }> => {
  const said: string[] = [];
  const io: Io = { out: (one) => void said.push(one), err: (one) => void said.push(one), ask: async () => undefined, read: async () => file };
  const code = await runHere(args, context, io);
  return { code, text: said.join('\n') };
};

/** An opérateur's terminal. */
export const desk =
  (world: World) =>
  (...args: readonly string[]): Promise<{ code: number; text: string }> =>
    runWith(contextOf(world), args);

/** The flags that prove one of the two opérateurs. */
export const as = async (world: World, who: 'Alice Fontaine' | 'Marc Dubreuil'): Promise<string[]> => [
  '--as',
  who === 'Alice Fontaine' ? 'alice@demonstration.example' : 'marc@demonstration.example',
  '--code',
  await world.code(world.places, who),
];
